# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Names that hosts give: what the catalogue counts as a node's own, and what it leaves out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.continuum.edge.plugins.module_utils.catalogue import Configuration

ROOT = Path(__file__).resolve().parents[4]
DEFAULT = Configuration()
# By option: the node's own, then what only passes bytes on.
NAMES = {
    "virtual_interfaces": (
        "eth0 eno1 eno2np1 enp3s0 enp0s31f6 ens5 enx00e04c680001 end0 em1 wlan0 wlp2s0 wwan0 usb0 rndis0 ib0 ppp0 can0",
        "lo veth0a1b cali12ab eni3f2a9c11d04 azv1a2b gke0a1b lxc_health lxc12ab cilium_host cilium_net cilium_wg0 tap0"
        " vnet3 vif1.0 0a1b2c3d4e5f_h 0a1b2c3d4e5f678 br0 br-5f3a bridge0 virbr0 vmbr0 fwbr100i0 fwpr100p0 fwln100i0"
        " l4tbr0 lxdbr0 lxcbr0 incusbr0 docker0 docker_gwbridge podman0 cni0 cni-podman0 cbr0 kube-bridge kube-ipvs0"
        " weave ovs-system ovn-k8s-mp0 antrea-gw0 vmnet8 vboxnet0 bond0 bond0.20 team0 vlan20 eth0.20 macvlan0 ifb0"
        " flannel.1 flannel-wg flannel-v6.1 vxlan.calico vxlan-6784 vx-submariner geneve0 genev_sys_6081 tun0 tunl0"
        " sit0 gre0 gretap0 erspan0 ip6gre0 ip6tnl0 ip_vti0 ip6_vti0 xfrm0 ipsec0 wg0 wg-mullvad wireguard.cali"
        " wg-v6.cali tailscale0 ztabcdefgh nebula1 nordlynx kilo0 wt0 dummy0 nodelocaldns vcan0 bpfin.cali bpfout.cali",
    ),
    "virtual_disks": (
        "sda sdab hda vda xvda dasda mmcblk0 mmcblk1 nvme0n1 nvme10n2 pmem0 mtdblock0 cciss!c0d0",
        "sda1 sdab12 hda1 vda15 xvda1 dasda1 mmcblk0p1 mmcblk0boot0 mmcblk0boot1 mmcblk0rpmb mmcblk0gp0 nvme0n1p1"
        " nvme0c0n1 nvme0c0n1p1 pmem0p1 cciss!c0d0p1 dm-0 mapper/vg-root md0 md127 md127p1 bcache0 drbd0 drbd1000 zd0"
        " zd16 loop0 loop12p1 ram0 zram0 nbd0 nbd0p1 rbd0 sr0 fd0",
    ),
    "virtual_filesystems": (
        "ext2 ext3 ext4 xfs btrfs zfs f2fs vfat exfat ntfs3 fuseblk jffs2 ubifs bcachefs",
        "tmpfs ramfs devtmpfs overlay squashfs erofs iso9660 udf fuse fuse.snapfuse fuse.lxcfs fuse.mergerfs nfs nfs4"
        " cifs smb3 9p virtiofs ceph nsfs cgroup2 efivarfs autofs",
    ),
    "virtual_filesystem_devices": (
        "/dev/sda1 /dev/mmcblk0p2 /dev/nvme0n1p2 /dev/mapper/vg-root /dev/md0 /dev/root rpool/ROOT/debian",
        "/dev/loop0 /dev/zram1 /dev/ram0 /dev/nbd0 /dev/rbd0",
    ),
}


@pytest.mark.parametrize("option", NAMES)
def test_names(option: str) -> None:
    counted, others = (names.split() for names in NAMES[option])
    rule = re.compile(getattr(DEFAULT, option))
    assert [name for name in counted if rule.fullmatch(name)] == []
    assert [name for name in others if not rule.fullmatch(name)] == []


@pytest.mark.parametrize(
    ("flag", "option"),
    [
        ("collector.netdev.device-exclude", "virtual_interfaces"),
        ("collector.diskstats.device-exclude", "virtual_disks"),
        ("collector.filesystem.fs-types-exclude", "virtual_filesystems"),
    ],
)
def test_the_chart_s_exporter_shows_what_is_counted(flag: str, option: str) -> None:
    """The lean chart's node-exporter leaves out what no record reads, by the catalogue's own rule."""
    values = yaml.safe_load((ROOT / "charts/edge-monitoring/values.yaml").read_text(encoding="utf-8"))
    arguments = dict(argument.removeprefix("--").split("=", 1) for argument in values["nodeExporter"]["extraArgs"])
    counted, others = (names.split() for names in NAMES[option])
    exclude = re.compile(arguments[flag])
    assert getattr(DEFAULT, option) in arguments[flag]
    assert [name for name in counted if exclude.search(name)] == []
    assert [name for name in others if not exclude.search(name)] == []
