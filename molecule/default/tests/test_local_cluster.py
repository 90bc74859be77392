"""The embedded cluster as its machine sees it: processes, sockets, files, and how it survives what befalls it."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from testinfra.host import Host
from tools import eventually, free_port

PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
CLUSTER = PROJECT / ".local" / "molecule"
NODES = ["molecule-1", "molecule-2", "molecule-3"]
GATEWAY = "10.79.0.1"
CGROUP = "/continuum-molecule.scope" if Path("/run/systemd/system").is_dir() else "/molecule"
CONTROL_PLANE = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "local-volume-provisioner",
    "registry",
]
ON_NODES = ["containerd", "kubelet", "kube-proxy", "network-policies"]
SERVICES = CONTROL_PLANE + [f"{node}-{program}" for node in NODES for program in ON_NODES]


def pod_with_volume(name: str, claim: str, **spec: object) -> str:
    """A claim of 48 MiB and a pod that has it mounted, as JSON."""
    container = {"name": "pause", "image": "registry.k8s.io/pause:3.10.1"}
    items: list[dict[str, object]] = [
        {
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": claim},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "48Mi"}}},
        },
        {
            "kind": "Pod",
            "metadata": {"name": name},
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "containers": [{**container, "volumeMounts": [{"name": "data", "mountPath": "/data"}]}],
                "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}],
                **spec,
            },
        },
    ]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", **item} for item in items]})


def kubectl(host: Host, arguments: str) -> str:
    return host.check_output(f"KUBECONFIG={CLUSTER}/kubeconfig {CLUSTER}/bin/kubectl {arguments}")


def pid(service: str) -> int:
    """Process of a service; 0 where it does not run at the moment."""
    path = CLUSTER / "service" / service / "supervise" / "pid"
    return int(path.read_text() or 0)


def ready(host: Host) -> bool:
    result = host.run(f"KUBECONFIG={CLUSTER}/kubeconfig {CLUSTER}/bin/kubectl get nodes -o json")
    if result.rc:
        return False
    nodes = json.loads(result.stdout)["items"]
    return len(nodes) == len(NODES) and all(
        condition["status"] == "True"
        for node in nodes
        for condition in node["status"]["conditions"]
        if condition["type"] == "Ready"
    )


@pytest.fixture(scope="module")
def volume(host: Host) -> Iterator[Path]:
    """A bound volume of 48 MiB, as the machine sees it, mounted into a running pod."""
    kubectl(host, f"apply -f - <<'EOF'\n{pod_with_volume('pod', 'claim')}\nEOF")
    kubectl(host, "wait pod/pod --for=condition=Ready --timeout=90s")
    name = kubectl(host, "get pvc claim -o jsonpath={.spec.volumeName}").strip()
    yield CLUSTER / "volumes" / name
    kubectl(host, "delete pod/pod pvc/claim")
    eventually(lambda: not host.file(f"{CLUSTER}/volumes/{name}").exists, 90, "the volume's removal")


@pytest.mark.parametrize("service", SERVICES)
def test_service_runs(host: Host, service: str) -> None:
    assert host.run(f"sv status {CLUSTER}/service/{service}").stdout.startswith("run:")


@pytest.mark.parametrize(
    ("program", "says"), [("kubectl", "version --client"), ("promtool", "--version"), ("coredns", "-version")]
)
def test_program_is_there(host: Host, program: str, says: str) -> None:
    assert host.file(f"{CLUSTER}/bin/{program}").mode & 0o111
    assert host.run(f"{CLUSTER}/bin/{program} {says}").rc == 0


def listening(host: Host, inside: str = "") -> set[str]:
    """Address and port of each socket of the cluster's processes in the machine's network, or a node's."""
    addresses = set()
    for line in host.check_output(f"{inside} ss -Hltunp").splitlines():
        (address,) = re.findall(r"^\S+ +\S+ +\d+ +\d+ +(\S+)", line)
        for process in re.findall(r"pid=(\d+)", line):
            if f"{CGROUP}/" in Path("/proc", process, "cgroup").read_text():
                addresses.add(address)
    return addresses


def test_nothing_listens_but_what_is_on_the_list(host: Host) -> None:
    assert listening(host) == {f"{GATEWAY}:{port}" for port in (2379, 2380, 5001, 6443, 10257, 10259)}
    for node in NODES:
        # containerd takes any port of the loopback for what kubectl exec streams.
        ports = {each for each in listening(host, f"ip netns exec {node}") if not each.startswith("127.0.0.1:")}
        assert ports == {"*:10250", "*:10256"}, "the kubelet's, and kube-proxy's answer to who asks for its health"


def test_verification_refuses_a_socket_that_others_can_reach(host: Host) -> None:
    play(host, "--tags verify")
    server = f"{CLUSTER}/etc/join-cgroup supervisor socat TCP-LISTEN:{free_port()},bind=0.0.0.0,fork SYSTEM:true"
    process = subprocess.Popen(server.split())
    try:
        eventually(lambda: any(each.startswith("0.0.0.0:") for each in listening(host)), 30, "the socket")
        with pytest.raises(AssertionError, match=r"there listen: 0\.0\.0\.0:\d+ socat"):
            play(host, "--tags verify")
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    "path", ["kubeconfig", "registry-auth.json", "pki/encryption.yaml", "pki/ca.key", "pki/sa.key", "pki/etcd/ca.key"]
)
def test_secret_is_roots_own(host: Host, path: str) -> None:
    file = host.file(f"{CLUSTER}/{path}")
    assert file.user == "root"
    assert file.mode & 0o077 == 0


def test_etcd_answers_only_who_has_a_certificate(host: Host) -> None:
    health = f"curl -sSk https://{GATEWAY}:2379/health"
    pki = CLUSTER / "pki"
    assert "true" in host.check_output(
        f"{health} --cert {pki}/apiserver-etcd-client.crt --key {pki}/apiserver-etcd-client.key"
    )
    assert host.run(health).rc != 0


def test_secrets_are_encrypted_in_etcd(host: Host) -> None:
    kubectl(host, "create secret generic hidden --from-literal=word=shibboleth")
    try:
        pki = f"--cert {CLUSTER}/pki/apiserver-etcd-client.crt --key {CLUSTER}/pki/apiserver-etcd-client.key"
        first, last = (base64.b64encode(key).decode() for key in (b"/registry/secrets/", b"/registry/secrets0"))
        asked = json.dumps({"key": first, "range_end": last})
        call = f"curl -sSk {pki} https://{GATEWAY}:2379/v3/kv/range -d '{asked}'"
        values = [base64.b64decode(each["value"]) for each in json.loads(host.check_output(call))["kvs"]]
        assert values
        assert {value[:21] for value in values} == {b"k8s:enc:secretbox:v1:"}
        assert kubectl(host, "get secret hidden -o jsonpath={.data.word}") == base64.b64encode(b"shibboleth").decode()
    finally:
        kubectl(host, "delete secret hidden")


@pytest.mark.parametrize("node", NODES)
def test_kubelet_refuses_who_shows_nothing(host: Host, node: str) -> None:
    address = f"10.79.0.{11 + NODES.index(node)}"
    assert host.check_output(f"curl -sko /dev/null -w '%{{http_code}}' https://{address}:10250/pods") == "401"
    assert host.run(f"curl -s http://{address}:10255/pods").rc == 7, "the port that asks nobody is closed"


@pytest.mark.parametrize("node", NODES)
def test_node_has_namespaces_and_a_cgroup_of_its_own(host: Host, node: str) -> None:
    inside = f"nsenter --net=/run/netns/{node} --mount={CLUSTER}/nodes/{node}/ns/mnt"
    number = NODES.index(node) + 1
    assert f"10.79.0.{10 + number}/24" in host.check_output(f"{inside} ip -4 -o addr show dev eth0")
    assert host.check_output(f"{inside} ls /etc/cni/net.d").split() == ["10-molecule.conflist"]
    groups = Path(f"/proc/{pid(f'{node}-kubelet')}/cgroup").read_text()
    assert f"{CGROUP}/{node}/system.slice/kubelet.service" in groups


@pytest.mark.parametrize("service", [f"{node}-{program}" for node in NODES for program in ON_NODES])
def test_service_is_in_its_cgroup_of_every_hierarchy(service: str) -> None:
    """A group without processors refuses its processes, and they stay where runit was started."""
    groups = [line.split(":")[2] for line in Path(f"/proc/{pid(service)}/cgroup").read_text().splitlines()]
    assert all(group.startswith(f"{CGROUP}/molecule-") for group in groups), groups


@pytest.mark.skipif(not Path("/sys/fs/cgroup/cgroup.controllers").exists(), reason="version 1 counts always")
@pytest.mark.parametrize("service", [f"{node}-{program}" for node in NODES for program in ON_NODES])
def test_what_a_service_takes_is_counted(service: str) -> None:
    """Version 2 counts only what the groups above pass on."""
    group = Path("/proc", str(pid(service)), "cgroup").read_text().strip().removeprefix("0::/")
    files = {path.name for path in Path("/sys/fs/cgroup", group).iterdir()}
    assert {"memory.current", "io.stat", "cpu.max", "pids.current"} <= files


def test_supervisor_is_in_a_cgroup_of_the_clusters_own() -> None:
    """The cgroup of the session that has made the cluster ends with that session."""
    groups = Path("/proc", (CLUSTER / "runsvdir.pid").read_text().strip(), "cgroup").read_text().splitlines()
    assert {line.split(":")[2] for line in groups} == {f"{CGROUP}/supervisor"}


@pytest.mark.parametrize("package", ["containerd", "etcd-server"])
def test_a_packages_own_service_does_not_start_with_the_machine(host: Host, package: str) -> None:
    """The package is there for its program alone; one that was there before the cluster may be enabled."""
    listed = host.check_output(f"dpkg-query --listfiles {package}").splitlines()
    names = {Path(path).stem for path in listed if path.startswith("/etc/init.d/") or path.endswith(".service")}
    links = [*Path("/etc").glob("rc[2-5].d/S*"), *Path("/etc/systemd/system").glob("*.wants/*.service")]
    assert names
    assert not {link.name.lstrip("S0123456789").removesuffix(".service") for link in links} & names


def test_volume_has_the_size_of_its_claim(host: Host, volume: Path) -> None:
    size = int(host.check_output(f"stat -c %s {volume}.img"))
    assert size == 48 << 20
    assert int(host.check_output(f"df --output=size -B1 {volume}").split()[-1]) < size


def test_service_answers_a_pod_on_the_node_of_its_backend(host: Host) -> None:
    """The backend's answer must pass the node's rules, which give it the Service's address again."""
    node = kubectl(host, "-n kube-system get pods -l k8s-app=kube-dns -o jsonpath={.items[0].spec.nodeName}")
    overrides = json.dumps({"spec": {"nodeName": node, "terminationGracePeriodSeconds": 0}})
    kubectl(host, f"run beside --image=registry.k8s.io/pause:3.10.1 --overrides='{overrides}'")
    try:
        kubectl(host, "wait pod/beside --for=condition=Ready --timeout=90s")
        address = kubectl(host, "-n kube-system get service kube-dns -o jsonpath={.spec.clusterIP}")
        inside = f"nsenter --mount={CLUSTER}/nodes/{node}/ns/mnt"
        pods = host.check_output(f"{inside} ls /run/netns").split()
        call = f"timeout 2 bash -c ': <> /dev/tcp/{address}/53'"
        lost = [
            pod for pod in pods for _ in range(10) if host.run(f"{inside} nsenter --net=/run/netns/{pod} {call}").rc
        ]
        assert len(pods) >= 2
        assert not lost, f"{len(lost)} of {10 * len(pods)} connections"
    finally:
        kubectl(host, "delete pod/beside")


NO_DIGEST = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("method", "path", "answer"),
    [
        ("GET", "_catalog", 200),
        ("GET", "registry.k8s.io/pause/manifests/3.10.1", 200),
        ("POST", "registry.k8s.io/pause/blobs/uploads/", 401),
        ("POST", f"other/blobs/uploads/?mount={NO_DIGEST}&from=registry.k8s.io/pause", 401),
        ("PATCH", "registry.k8s.io/pause/blobs/uploads/1", 401),
        ("PUT", "registry.k8s.io/pause/manifests/3.10.1", 401),
        ("DELETE", f"registry.k8s.io/pause/manifests/{NO_DIGEST}", 401),
        ("DELETE", f"registry.k8s.io/pause/blobs/{NO_DIGEST}", 401),
    ],
)
def test_pods_read_the_registry_and_write_nothing(host: Host, method: str, path: str, answer: int) -> None:
    """The path is asked for from within a pod's network, without a login and with a wrong one."""
    running = "-n kube-system get pods -l k8s-app=kube-dns --field-selector status.phase=Running"
    where = "jsonpath={.items[0].spec.nodeName} {.items[0].status.podIP}"
    node, address = kubectl(host, f"{running} -o '{where}'").split()
    inside = f"nsenter --mount={CLUSTER}/nodes/{node}/ns/mnt"
    # The network of a pod that ends, such as that of the test before, lies beside it.
    names = host.check_output(f"{inside} ls /run/netns").split()
    networks = [f"{inside} nsenter --net=/run/netns/{name}" for name in names]
    (network,) = [each for each in networks if f" {address}/" in host.run(f"{each} ip -4 -oneline address").stdout]
    accept = "--header 'Accept: application/vnd.oci.image.manifest.v1+json'"
    call = f"curl --silent --output /dev/null --write-out '%{{http_code}}' --request {method} {accept}"
    for login in ("", "--user push:guess"):
        command = f"{network} {call} {login} 'http://{GATEWAY}:5001/v2/{path}'"
        assert host.check_output(command) == str(answer), login


def test_registry_takes_what_its_host_pushes(host: Host) -> None:
    (login,) = json.loads((CLUSTER / "registry-auth.json").read_text())["auths"].values()
    request = urllib.request.Request(
        f"http://{GATEWAY}:5001/v2/tests/none/blobs/uploads/",
        method="POST",
        headers={"Authorization": f"Basic {login['auth']}"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 202
    logs = host.check_output(f"cat {CLUSTER}/log/registry/*")
    assert login["auth"] not in logs
    assert base64.b64decode(login["auth"]).decode().partition(":")[2] not in logs


def test_volume_is_full_when_it_is_full(host: Host, volume: Path) -> None:
    result = host.run(f"dd if=/dev/zero of={volume}/data/filler bs=1M count=64")
    assert "No space left on device" in result.stderr
    (volume / "data" / "filler").unlink()


@pytest.mark.parametrize("service", SERVICES)
def test_killed_process_comes_back(host: Host, service: str) -> None:
    killed = pid(service)
    host.check_output(f"kill -9 {killed}")
    eventually(lambda: pid(service) not in (0, killed), 30, f"a new {service}")


def test_process_does_not_outlive_its_supervisor(host: Host) -> None:
    """A twin of the kubelet would fight with the new one over its pods."""
    before = pid(f"{NODES[0]}-kubelet")
    host.check_output(f"pkill -9 -fx 'runsv {NODES[0]}-kubelet'")
    eventually(lambda: not host.file(f"/proc/{before}").exists, 10, "the end of the kubelet")
    eventually(lambda: pid(f"{NODES[0]}-kubelet") not in (0, before), 30, "a new kubelet")


def test_cluster_is_the_same_after_all_that(host: Host) -> None:
    eventually(lambda: ready(host), 90, "all nodes ready")
    kubectl(host, "-n kube-system rollout status deployment/coredns --timeout=90s")


def kill_everything(host: Host) -> None:
    """End each process of the cluster at once, supervisors first, without a chance to say goodbye."""
    processes = [Path(f"/proc/{(CLUSTER / 'runsvdir.pid').read_text().strip()}")]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            supervised = str((process / "cwd").readlink()).startswith(f"{CLUSTER}/service/")
            member = f"{CGROUP}/" in (process / "cgroup").read_text()
        except OSError:
            continue  # it has ended
        if supervised or member:
            processes.insert(0 if supervised else len(processes), process)
    host.run("kill -9 " + " ".join(process.name for process in processes))


def restart_machine(host: Host) -> None:
    """What a restart leaves: no process, no namespace, no bridge, no mount, no cgroup; only the files."""
    play(host, "-e local_cluster_state=stopped")
    assert not host.interface("molecule0").exists


def play(host: Host, arguments: str = "") -> str:
    result = host.run(
        f"cd {PROJECT} && PATH={PROJECT}/.venv/bin:$PATH ansible-playbook continuum.edge.local_cluster"
        f" -i inventories/local -e @molecule/cluster.yml {arguments}"
    )
    assert result.rc == 0, result.stdout
    return result.stdout


@pytest.mark.parametrize("disaster", [kill_everything, restart_machine])
def test_cluster_comes_back_with_its_data(host: Host, volume: Path, disaster: Callable[[Host], None]) -> None:
    (volume / "data" / "kept").write_text(disaster.__name__)
    uid = kubectl(host, "get namespace kube-system -o jsonpath={.metadata.uid}")
    disaster(host)
    play(host)
    assert kubectl(host, "get namespace kube-system -o jsonpath={.metadata.uid}") == uid
    eventually(lambda: ready(host), 90, "all nodes ready")
    kubectl(host, "wait pod/pod --for=condition=Ready --timeout=90s")
    assert (volume / "data" / "kept").read_text() == disaster.__name__
    assert "changed=0" in play(host)


def test_process_of_a_new_program_is_a_new_one(host: Host) -> None:
    """The process starts also where the run that brought its program was cut off before that."""
    before = {service: pid(service) for service in SERVICES}
    host.check_output(f"touch {CLUSTER}/bin/local-volume-provisioner")
    play(host)
    assert [service for service in SERVICES if pid(service) != before[service]] == ["local-volume-provisioner"]
    assert "changed=0" in play(host)


FOUR = "-e '{local_cluster_nodes: [{}, {}, {}, {}]}'"


def test_nodes_are_added_and_taken_away_by_the_list(host: Host) -> None:
    announced = play(host, f"--check -v {FOUR}")
    for needed in ("certificates and kubeconfigs", "network of molecule-4", "mounts of molecule-4"):
        assert f"made: {needed}" in announced
    play(host, FOUR)
    selector = {"kubernetes.io/hostname": "molecule-4"}
    kubectl(host, f"apply -f - <<'EOF'\n{pod_with_volume('on-the-fourth', 'fourth', nodeSelector=selector)}\nEOF")
    kubectl(host, "wait pod/on-the-fourth --for=condition=Ready --timeout=90s")
    with pytest.raises(AssertionError, match=r"no longer has molecule-4.* default/fourth"):
        play(host)
    assert "molecule-4" in kubectl(host, "get nodes -o name")
    play(host, "-e local_cluster_drop_volumes=true")
    assert "molecule-4" not in kubectl(host, "get nodes -o name")
    places = (
        f"ls {CLUSTER}/nodes {CLUSTER}/service",
        "ip netns list",
        "cat /proc/mounts",
        "find /sys/fs/cgroup -type d",
    )
    for place in places:
        assert "molecule-4" not in host.check_output(place), place
    eventually(lambda: "fourth" not in kubectl(host, "get pv,pvc -A"), 60, "the end of its volume")
    assert "changed=0" in play(host)


def test_second_cluster_of_the_same_name_is_refused(host: Host, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="the network device molecule0 is taken by"):
        play(host, f"-e local_cluster_dir={tmp_path}/another")
    assert not (tmp_path / "another").exists()
