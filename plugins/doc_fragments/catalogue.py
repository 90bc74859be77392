# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)

from __future__ import annotations


class ModuleDocFragment:
    # The options of every module that reads the metric catalogue.
    DOCUMENTATION = r"""
options:
  categories:
    description:
      - Take the entries of these categories only.
      - One or more of V(cpu), V(memory), V(network), V(storage), V(node), V(application), V(platform).
      - Where O(levels) is given too, an entry must meet both.
    type: list
    elements: str
    default: []
  levels:
    description: Take the entries of these levels only, such as V(cluster), V(node), V(namespace) or V(pod).
    type: list
    elements: str
    default: []
  names:
    description:
      - Take these entries, beside those that O(categories) and O(levels) select.
      - Records that a selected entry reads come along, as it would have no data without them.
    type: list
    elements: str
    default: []
  alerts:
    description: Whether the selection contains alerts.
    type: bool
    default: true
  extra_metrics:
    description:
      - A site's own metrics. They are checked, selected, ordered and written as the collection's are.
      - >-
        Each is a dictionary with C(name) (C(level:metric:operations)), C(expr) and C(meaning), and, where wanted,
        C(category) (V(application)), C(unit) (V(count)), C(type) (V(gauge)), C(absent) (why there may be no series of
        it), C(warning) and C(critical) (thresholds) and C(labels).
      - >-
        In C(expr), C($cluster) is the cluster label's name, C($window) the rate window, C($trend) the trend window, and
        C($cadvisor), C($kubelet), C($kube_state_metrics), C($node_exporter) and so on are the exporters' selectors. A
        plain C($) is written C($$).
    type: list
    elements: dict
    default: []
  labels:
    description: Labels that every record and alert gets. Not one by which records are told apart, such as C(node).
    type: dict
    default: {}
  cluster:
    description:
      - Name of the cluster, set as O(cluster_label) on every record and alert.
      - Leave it empty where the scraped series carry that label already, and where one Prometheus has several clusters.
    type: str
    default: ""
  selectors:
    description:
      - Label matchers that pick an exporter's series, by exporter, where they are not C(job="<exporter>").
      - >-
        The exporters are V(cadvisor), V(kubelet), V(probes), V(kube_state_metrics), V(node_exporter), V(apiserver),
        V(coredns), V(prometheus), V(alertmanager), V(pushgateway), V(applications), V(compss), V(blackbox), V(dcgm)
        and V(scaphandre).
    type: dict
    default: {}
  cluster_label:
    description: Name of the label that tells clusters apart.
    type: str
    default: cluster
  interval:
    description: How often the rules are evaluated.
    type: str
    default: 30s
  prompt_interval:
    description: How often the records are evaluated that somebody acts on, such as missed deadlines.
    type: str
    default: 5s
  scrape_interval:
    description: How often the exporters are scraped.
    type: str
    default: 30s
  rate_window:
    description: Window of every rate; at least four times O(scrape_interval).
    type: str
    default: 2m
  trend_window:
    description: Window of every trend, such as the time until a disk is full.
    type: str
    default: 1h
  silent_window:
    description: How long the alert C(SiteSilent) misses a site that sends nothing any more. Then it is forgotten.
    type: str
    default: 1d
  query_offset:
    description:
      - How far in the past the rules are evaluated, such as V(1m); not at all where this is empty.
      - >-
        cAdvisor's samples carry a time of their own, up to 15 s before the scrape. Where Prometheus honours it, the end
        of a rate's window has no samples yet and the rate reads too low, unless the rules look back by a scrape
        interval and 30 s.
    type: str
    default: ""
  node_cgroup:
    description:
      - Regular expression over cAdvisor's C(id) of the cgroups that together are a node.
      - Nodes that share one machine each name their own, as V(/) is the whole machine on all of them.
    type: str
    default: /
  service_cgroup:
    description: Regular expression over cAdvisor's C(id) of the cgroups of system services.
    type: str
    default: (/[^/]+[.]slice)+/[^/]+[.]service
  node_size:
    description:
      - What 100 % of a node is. V(capacity) is what its machine has.
      - V(allocatable) is that less the kubelet's reservations, right where nodes share one machine.
    type: str
    choices: [capacity, allocatable]
    default: capacity
  cluster_size:
    description:
      - What 100 % of the cluster is. V(sum) is all its nodes together.
      - V(max) is the largest of them, right where all nodes stand on one machine that is not divided among them.
    type: str
    choices: [sum, max]
    default: sum
  virtual_interfaces:
    description:
      - Regular expression of the network interfaces of a node whose traffic another interface counts too.
      - docs/metrics.md tells its kinds in words.
    type: str
    default: >-
      lo|(veth|cali|cilium|lxc|azv|gke|vif|tap|macvtap|vnet|ve-|vb-|fwpr|fwln|bpfin|bpfout).*|eni[0-9a-f]{8,}|[0-9a-f]{12}_[ch]|[0-9a-f]{15}|(br|virbr|vmbr|fwbr|l4tbr|lxdbr|incusbr|xenbr|docker|podman|cni|cbr|kube|weave|datapath|ovs|ovn|antrea|vmnet|vboxnet).*|(bond|team).*|(vlan|macvlan|ipvlan|vrf|ifb).*|.+[.][0-9]+|(flannel|vxlan|vx-|geneve|genev_|tun|utun|sit|gre|erspan|ip6gre|ip6tnl|ipip|vti|ip_vti|ip6_vti|xfrm|ipsec).*|(wg|wireguard|tailscale|nebula|nordlynx|kilo).*|zt[0-9a-z]{6,}|wt[0-9]+|(dummy|nodelocal|nlmon|teql|vcan).*
  virtual_disks:
    description: Regular expression of the block devices whose bytes another disk counts too, without C(/dev/).
    type: str
    default: >-
      ((s|h|v|xv|ub|das)d[a-z]+|(mmcblk[0-9]+|nvme[0-9]+n[0-9]+|pmem[0-9]+|(cciss|ida)!.+)p)[0-9]+|mmcblk[0-9]+(boot[0-9]+|gp[0-9]+(p[0-9]+)?|rpmb)|nvme[0-9]+c[0-9]+n[0-9]+(p[0-9]+)?|(dm-|mapper/|md|bcache|drbd|zd[0-9]).*|(loop|ram|zram).*|(nbd|rbd).*|(sr|fd).*
  virtual_filesystems:
    description: Regular expression of the file system types that hold nothing on a disk of the node.
    type: str
    default: >-
      tmpfs|ramfs|devtmpfs|hugetlbfs|overlay|aufs|unionfs|shiftfs|fuse([.].+)?|squashfs|erofs|cramfs|romfs|iso9660|udf|nfs.*|cifs|smb.*|afs|9p|virtiofs|vboxsf|ceph|glusterfs|lustre|beegfs|gfs2|ocfs2|nsfs|proc|sysfs|cgroup.*|rpc_pipefs|efivarfs|autofs|binfmt_misc
  virtual_filesystem_devices:
    description: Regular expression of the devices, with C(/dev/), whose file systems lie on no disk of the node.
    type: str
    default: >-
      /dev/(loop|ram|zram).*|/dev/(nbd|rbd).*
requirements:
  - promql-parser >= 0.5 (PyPI)
  - PyYAML
"""
