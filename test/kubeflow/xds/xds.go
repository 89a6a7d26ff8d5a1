// SPDX-License-Identifier: Apache-2.0

// Package xds is Istio's control plane without a cluster: it serves to an Envoy, as ingress gateway, what
// Istio makes of rendered manifests.
package xds

import (
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"k8s.io/apimachinery/pkg/util/intstr"

	"google.golang.org/protobuf/types/known/wrapperspb"
	meshconfig "istio.io/api/mesh/v1alpha1"
	v3 "istio.io/istio/pilot/pkg/xds/v3"
	fakexds "istio.io/istio/pilot/test/xds"
	"istio.io/istio/pkg/config/mesh"
)

type options struct {
	port, gatewayPort, adminPort int
	bootstrap                    string
	local                        ports
	files                        []string
}

func parse(args []string) (*options, error) {
	o := &options{local: ports{}}
	flags := flag.NewFlagSet("xds", flag.ContinueOnError)
	flags.IntVar(&o.port, "port", 0, "loopback `port` where Envoy asks for its configuration")
	flags.IntVar(&o.gatewayPort, "gateway-port", 0, "loopback `port` of the gateway, in place of its port 80")
	flags.IntVar(&o.adminPort, "admin-port", 0, "loopback `port` of Envoy's administration")
	flags.StringVar(&o.bootstrap, "bootstrap", "", "`file` to write for Envoy's -c")
	flags.Var(o.local, "pod", "`NAME.NAMESPACE:PORT=LOCALPORT`: what listens in place of a workload's pods; repeatable")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	o.files = flags.Args()
	if o.port == 0 || o.gatewayPort == 0 || o.adminPort == 0 || o.bootstrap == "" || len(o.files) == 0 {
		return nil, fmt.Errorf("usage: xds -port P -gateway-port P -admin-port P -bootstrap FILE [-pod …] MANIFEST…")
	}
	return o, nil
}

// Main serves until a signal ends it; its status is the program's.
func Main(args []string) int {
	o, err := parse(args)
	if err == nil {
		err = o.serve()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "xds:", err)
		return 1
	}
	return 0
}

func (o *options) serve() error {
	all, err := readManifests(o.files)
	if err != nil {
		return err
	}
	if err := all.moveGateway(int32(o.gatewayPort)); err != nil {
		return err
	}
	objects, err := all.objects(o.local)
	if err != nil {
		return err
	}
	settings, err := all.meshConfig()
	if err != nil {
		return err
	}
	t := &failer{}
	defer t.finish()
	server := fakexds.NewFakeDiscoveryServer(t, fakexds.FakeOptions{
		KubernetesObjects:      objects,
		KubernetesObjectString: strings.Join(all.gateways, "\n---\n"),
		ConfigString:           strings.Join(all.istio, "\n---\n"),
		MeshConfig:             settings,
		ListenerBuilder:        func() (net.Listener, error) { return net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", o.port)) },
	})
	generators := server.Discovery.Generators
	generators[v3.ListenerType] = stock{generators[v3.ListenerType], stockListener}
	generators[v3.ClusterType] = stock{generators[v3.ClusterType], stockCluster}
	if err := writeBootstrap(o.bootstrap, o.port, o.adminPort); err != nil {
		return err
	}
	fmt.Println("xds: ready")
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	<-ended
	return nil
}

// meshConfig is the mesh's settings as installed, but that nobody here has a sidecar to speak mTLS with.
func (m *manifests) meshConfig() (*meshconfig.MeshConfig, error) {
	if m.mesh == "" {
		return nil, fmt.Errorf("no ConfigMap istio in istio-system with the mesh's settings")
	}
	settings, err := mesh.ApplyMeshConfigDefaults(m.mesh)
	if err != nil {
		return nil, err
	}
	settings.EnableAutoMtls = wrapperspb.Bool(false)
	return settings, nil
}

// moveGateway lets port 80 of the Service istio-ingressgateway lead to another port.
func (m *manifests) moveGateway(port int32) error {
	for i := range m.services {
		if m.services[i].Name != "istio-ingressgateway" {
			continue
		}
		for j := range m.services[i].Spec.Ports {
			if m.services[i].Spec.Ports[j].Port == 80 {
				m.services[i].Spec.Ports[j].TargetPort = intstr.FromInt32(port)
				return nil
			}
		}
	}
	return fmt.Errorf("no Service istio-ingressgateway with port 80")
}
