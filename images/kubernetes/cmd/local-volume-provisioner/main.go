// Command local-volume-provisioner gives the embedded cluster its default StorageClass.
//
// It runs beside the control plane, on the machine that all nodes share. A claim gets a file system of exactly the
// size that it asked for (ext4 in a sparse file, mounted through a loop device), so that a full volume is full and
// the kubelet's volume statistics are those of the volume, not of the machine's disk.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	"k8s.io/mount-utils"
	utilexec "k8s.io/utils/exec"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

const (
	minimumBytes = 8 << 20 // below this ext4 has no room for its own journal
	// A volume is this folder of its file system: where the file system is not mounted the folder is not there, and
	// the kubelet waits instead of writing below the mount point.
	dataFolder = "data"
)

// volumes keeps one image file and one mount point per volume below dir.
type volumes struct {
	dir     string
	mounter *mount.SafeFormatAndMount
}

func (v volumes) image(name string) string { return filepath.Join(v.dir, name+".img") }
func (v volumes) point(name string) string { return filepath.Join(v.dir, name) }

// mount mounts the volume's image, once.
func (v volumes) mount(name string) error {
	mounted, err := v.mounter.IsMountPoint(v.point(name))
	if err != nil || !mounted {
		if err := os.MkdirAll(v.point(name), 0o700); err != nil {
			return err
		}
		if err := v.mounter.Mount(v.image(name), v.point(name), "ext4", []string{"loop", "noatime"}); err != nil {
			return err
		}
	}
	if err := direct(v.image(name)); err != nil {
		klog.ErrorS(err, "What pods write to the volume is not counted as theirs", "volume", name)
	}
	return nil
}

// direct makes a volume's loop device pass the machine's page cache: the kernel then counts what is read and written
// as the pod's own, on the machine's disk, and caches it once.
func direct(image string) error {
	device, err := exec.Command("losetup", "--noheadings", "--output", "NAME", "--associated", image).Output()
	if err != nil {
		return err
	}
	output, err := exec.Command("losetup", "--direct-io=on", strings.TrimSpace(string(device))).CombinedOutput()
	if err != nil {
		return fmt.Errorf("losetup --direct-io=on %s: %w: %s", device, err, output)
	}
	return nil
}

// mountAll mounts what an earlier run made: after a restart of the machine nothing is mounted.
func (v volumes) mountAll() error {
	images, err := filepath.Glob(v.image("*"))
	if err != nil {
		return err
	}
	for _, image := range images {
		if err := v.mount(strings.TrimSuffix(filepath.Base(image), ".img")); err != nil {
			return err
		}
	}
	return nil
}

func (v volumes) make(name string, bytes int64) error {
	partial := v.image(name) + ".partial" // an interrupted run leaves no half-made volume under the final name
	file, err := os.OpenFile(partial, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(partial)
	if err := file.Truncate(bytes); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	if output, err := exec.Command("mkfs.ext4", "-q", "-F", "-m", "0", partial).CombinedOutput(); err != nil {
		return fmt.Errorf("mkfs.ext4: %w: %s", err, output)
	}
	return os.Rename(partial, v.image(name))
}

// open mounts the volume and gives every user a folder in it, as pods run as any user.
func (v volumes) open(name string) error {
	if err := v.mount(name); err != nil {
		return err
	}
	data := filepath.Join(v.point(name), dataFolder)
	if err := os.MkdirAll(data, 0o777); err != nil {
		return err
	}
	return os.Chmod(data, 0o777) // Mkdir's mode is cut by the umask
}

// Provision makes the file system and describes it as a local volume of the node that the scheduler chose.
func (v volumes) Provision(_ context.Context, options controller.ProvisionOptions) (*v1.PersistentVolume, controller.ProvisioningState, error) {
	claim := options.PVC.Spec
	if claim.Selector != nil {
		return nil, controller.ProvisioningFinished, fmt.Errorf("the claim has a selector; this class provisions without one")
	}
	if i := slices.IndexFunc(claim.AccessModes, func(mode v1.PersistentVolumeAccessMode) bool {
		return mode != v1.ReadWriteOnce && mode != v1.ReadWriteOncePod
	}); i >= 0 {
		return nil, controller.ProvisioningFinished, fmt.Errorf(
			"access mode %s is not possible on a node's own disk; use ReadWriteOnce or ReadWriteOncePod", claim.AccessModes[i])
	}
	size := claim.Resources.Requests[v1.ResourceStorage]
	bytes := max(size.Value(), minimumBytes)
	if _, err := os.Stat(v.image(options.PVName)); os.IsNotExist(err) {
		if err := v.make(options.PVName, bytes); err != nil {
			return nil, controller.ProvisioningFinished, err
		}
	}
	if err := v.open(options.PVName); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	filesystem := v1.PersistentVolumeFilesystem
	return &v1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: options.PVName},
		Spec: v1.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *options.StorageClass.ReclaimPolicy,
			AccessModes:                   claim.AccessModes,
			VolumeMode:                    &filesystem,
			Capacity:                      v1.ResourceList{v1.ResourceStorage: size},
			PersistentVolumeSource: v1.PersistentVolumeSource{
				Local: &v1.LocalVolumeSource{Path: filepath.Join(v.point(options.PVName), dataFolder)},
			},
			NodeAffinity: &v1.VolumeNodeAffinity{Required: &v1.NodeSelector{NodeSelectorTerms: []v1.NodeSelectorTerm{{
				MatchExpressions: []v1.NodeSelectorRequirement{{
					Key: v1.LabelHostname, Operator: v1.NodeSelectorOpIn, Values: []string{options.SelectedNodeName},
				}},
			}}}},
		},
	}, controller.ProvisioningFinished, nil
}

// Delete unmounts and removes the volume.
func (v volumes) Delete(_ context.Context, volume *v1.PersistentVolume) error {
	if mounted, err := v.mounter.IsMountPoint(v.point(volume.Name)); err == nil && mounted {
		if err := v.mounter.Unmount(v.point(volume.Name)); err != nil {
			return err
		}
	}
	for _, path := range []string{v.image(volume.Name), v.point(volume.Name)} {
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return nil
}

func main() {
	name := flag.String("provisioner", "continuum.edge/local-volume", "`name` of the provisioner in the StorageClass")
	dir := flag.String("dir", "", "`folder` of the volumes (required)")
	kubeconfig := flag.String("kubeconfig", "", "`file` with the way to the API server (required)")
	flag.Parse()
	if *dir == "" || *kubeconfig == "" {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	if err := run(ctx, *name, *dir, *kubeconfig); err != nil {
		klog.ErrorS(err, "Provisioner ended")
		os.Exit(1)
	}
}

func run(ctx context.Context, name, dir, kubeconfig string) error {
	provisioner := volumes{dir, &mount.SafeFormatAndMount{Interface: mount.New(""), Exec: utilexec.New()}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := provisioner.mountAll(); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	controller.NewProvisionController(ctx, client, name, provisioner,
		controller.LeaderElection(false), // there is one, supervised beside the API server
		controller.MetricsPort(0),
	).Run(ctx)
	return nil
}
