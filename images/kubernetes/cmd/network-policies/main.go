// Command network-policies enforces NetworkPolicies on one node: kube-router's controller for them and nothing else of
// kube-router. It runs in the node's network namespace, and writes iptables' rules and sets of addresses there.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/cloudnativelabs/kube-router/v2/pkg/controllers/netpol"
	"github.com/cloudnativelabs/kube-router/v2/pkg/healthcheck"
	"github.com/cloudnativelabs/kube-router/v2/pkg/options"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

func main() {
	config := options.NewKubeRouterConfig()
	config.EnableIPv4 = true
	flag.StringVar(&config.Kubeconfig, "kubeconfig", "", "kubeconfig of a user that may list pods, namespaces and NetworkPolicies")
	flag.StringVar(&config.HostnameOverride, "hostname-override", "", "the node's name")
	flag.StringVar(&config.ClusterIPCIDRs[0], "service-cluster-ip-range", "", "subnet of the Services")
	flag.Parse()
	context, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	if err := run(context, config); err != nil {
		klog.Error(err)
		os.Exit(1)
	}
}

func run(context context.Context, config *options.KubeRouterConfig) error {
	access, err := clientcmd.BuildConfigFromFlags("", config.Kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(access)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTransform(needed))
	pods := factory.Core().V1().Pods().Informer()
	namespaces := factory.Core().V1().Namespaces().Informer()
	policies := factory.Networking().V1().NetworkPolicies().Informer()

	tables, sets, err := netpol.NewIPTablesHandlers(config)
	if err != nil {
		return err
	}
	controller, err := netpol.NewNetworkPolicyController(
		client, config, pods, policies, namespaces, &sync.Mutex{}, tables, sets)
	if err != nil {
		return err
	}
	factory.Start(context.Done())
	for kind, synced := range factory.WaitForCacheSync(context.Done()) {
		if !synced {
			return fmt.Errorf("no list of %v from %s", kind, access.Host)
		}
	}
	// After the lists are whole: a list in parts would cut off what it does not have yet.
	pods.AddEventHandler(controller.PodEventHandler)
	namespaces.AddEventHandler(controller.NamespaceEventHandler)
	policies.AddEventHandler(controller.NetworkPolicyEventHandler)

	// The controller tells kube-router's own health check that it lives, and waits until that has heard it.
	beats := make(chan *healthcheck.ControllerHeartbeat)
	go func() {
		for range beats {
		}
	}()
	var running sync.WaitGroup
	running.Add(1)
	controller.Run(beats, context.Done(), &running)
	return nil
}

// needed is as much of an object as the controller reads. Every node has all pods of the cluster in its memory.
func needed(object any) (any, error) {
	if accessor, ok := object.(metav1.ObjectMetaAccessor); ok {
		accessor.GetObjectMeta().SetManagedFields(nil)
		accessor.GetObjectMeta().SetAnnotations(nil)
	}
	if pod, ok := object.(*corev1.Pod); ok {
		// The controller looks for a port's name among the containers alone, and a sidecar is an init container.
		containers := append(pod.Spec.Containers, pod.Spec.InitContainers...)
		pod.Spec = corev1.PodSpec{HostNetwork: pod.Spec.HostNetwork}
		for _, container := range containers {
			pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Ports: container.Ports})
		}
		status := pod.Status
		pod.Status = corev1.PodStatus{Phase: status.Phase, HostIP: status.HostIP, PodIP: status.PodIP, PodIPs: status.PodIPs}
	}
	return object, nil
}
