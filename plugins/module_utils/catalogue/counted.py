# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""What counts once: which interfaces, disks and file systems show bytes that another one of the node counts already.

Each rule is a table of kinds: in words, and as a regular expression of names. The tables are the defaults of the
options virtual_interfaces, virtual_disks, virtual_filesystems and virtual_filesystem_devices, and stand in
docs/metrics.md.
"""

from __future__ import annotations

INTERFACES: tuple[tuple[str, str], ...] = (
    ("the loopback", "lo"),
    (
        "the host's ends of the links of pods, containers and virtual machines",
        "(veth|cali|cilium|lxc|azv|gke|vif|tap|macvtap|vnet|ve-|vb-|fwpr|fwln|bpfin|bpfout).*|eni[0-9a-f]{8,}"
        "|[0-9a-f]{12}_[ch]|[0-9a-f]{15}",
    ),
    (
        "bridges and switches",
        "(br|virbr|vmbr|fwbr|l4tbr|lxdbr|incusbr|xenbr|docker|podman|cni|cbr|kube|weave|datapath|ovs|ovn|antrea"
        "|vmnet|vboxnet).*",
    ),
    ("bonds and teams, whose members count", "(bond|team).*"),
    ("VLANs and other twins of an interface", "(vlan|macvlan|ipvlan|vrf|ifb).*|.+[.][0-9]+"),
    (
        "tunnels and overlay networks, whose packets leave by an interface that counts them",
        "(flannel|vxlan|vx-|geneve|genev_|tun|utun|sit|gre|erspan|ip6gre|ip6tnl|ipip|vti|ip_vti|ip6_vti|xfrm|ipsec).*",
    ),
    (
        "virtual private networks: WireGuard, Tailscale, ZeroTier, Nebula, NetBird, Kilo",
        "(wg|wireguard|tailscale|nebula|nordlynx|kilo).*|zt[0-9a-z]{6,}|wt[0-9]+",
    ),
    ("interfaces without a wire", "(dummy|nodelocal|nlmon|teql|vcan).*"),
)
DISKS: tuple[tuple[str, str], ...] = (
    (
        "partitions",
        "((s|h|v|xv|ub|das)d[a-z]+|(mmcblk[0-9]+|nvme[0-9]+n[0-9]+|pmem[0-9]+|(cciss|ida)!.+)p)[0-9]+",
    ),
    ("boot and other areas of an eMMC", "mmcblk[0-9]+(boot[0-9]+|gp[0-9]+(p[0-9]+)?|rpmb)"),
    ("paths to an NVMe disk", "nvme[0-9]+c[0-9]+n[0-9]+(p[0-9]+)?"),
    (
        "what lies over disks: device mapper (LVM, encryption), RAID, bcache, DRBD, volumes of ZFS",
        "(dm-|mapper/|md|bcache|drbd|zd[0-9]).*",
    ),
    ("files and memory that look like a disk", "(loop|ram|zram).*"),
    ("disks of another machine", "(nbd|rbd).*"),
    ("drives for removable discs", "(sr|fd).*"),
)
FILESYSTEMS: tuple[tuple[str, str], ...] = (
    ("in memory", "tmpfs|ramfs|devtmpfs|hugetlbfs"),
    ("laid over others", "overlay|aufs|unionfs|shiftfs|fuse([.].+)?"),
    ("read-only images", "squashfs|erofs|cramfs|romfs|iso9660|udf"),
    (
        "of another machine",
        "nfs.*|cifs|smb.*|afs|9p|virtiofs|vboxsf|ceph|glusterfs|lustre|beegfs|gfs2|ocfs2",
    ),
    ("of the kernel", "nsfs|proc|sysfs|cgroup.*|rpc_pipefs|efivarfs|autofs|binfmt_misc"),
)
FILESYSTEM_DEVICES: tuple[tuple[str, str], ...] = (
    ("a file or memory that looks like a disk", "/dev/(loop|ram|zram).*"),
    ("a disk of another machine", "/dev/(nbd|rbd).*"),
)


def pattern(kinds: tuple[tuple[str, str], ...]) -> str:
    """One regular expression, anchored by those who use it, for all kinds of a table."""
    return "|".join(expression for _kind, expression in kinds)
