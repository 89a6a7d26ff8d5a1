// SPDX-License-Identifier: Apache-2.0
// Gives Services their endpoints: ports on the loopback in place of the pods that they select.

package xds

import (
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// ports are the local ports of workloads: what listens there in place of `name.namespace`'s container port.
type ports map[string]int32

func (p ports) String() string { return fmt.Sprint(map[string]int32(p)) }

// Set reads NAME.NAMESPACE:PORT=LOCALPORT.
func (p ports) Set(text string) error {
	place, local, found := strings.Cut(text, "=")
	number, err := strconv.ParseUint(local, 10, 16)
	if !found || err != nil || !strings.Contains(place, ":") {
		return fmt.Errorf("%q is not NAME.NAMESPACE:PORT=LOCALPORT", text)
	}
	p[place] = int32(number)
	return nil
}

// objects returns the Services and their EndpointSlices. Each local port has to be reached by a Service.
func (m *manifests) objects(local ports) ([]runtime.Object, error) {
	var all []runtime.Object
	used := map[string]bool{}
	for i := range m.services {
		service := &m.services[i]
		slice, err := m.slice(service, local, used)
		if err != nil {
			return nil, fmt.Errorf("Service %s.%s: %w", service.Name, service.Namespace, err)
		}
		all = append(all, service)
		if slice != nil {
			all = append(all, slice)
		}
	}
	for place := range local {
		if !used[place] {
			return nil, fmt.Errorf("no Service leads to %s", place)
		}
	}
	return all, nil
}

// slice does a cluster's work: pods by the Service's selector, container ports by name or number. A
// Service that selects no pod has no endpoints, here as there.
func (m *manifests) slice(service *corev1.Service, local ports, used map[string]bool) (*discoveryv1.EndpointSlice, error) {
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Name: service.Name, Namespace: service.Namespace,
			Labels: map[string]string{discoveryv1.LabelServiceName: service.Name},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"127.0.0.1"}}},
	}
	if len(service.Spec.Selector) == 0 {
		return nil, nil
	}
	selector := labels.SelectorFromSet(service.Spec.Selector)
	for i := range m.workloads {
		pods := &m.workloads[i]
		if pods.namespace != service.Namespace || !selector.Matches(labels.Set(pods.pods.Labels)) {
			continue
		}
		for _, port := range service.Spec.Ports {
			number, err := pods.port(port)
			if err != nil {
				return nil, err
			}
			place := fmt.Sprintf("%s.%s:%d", pods.name, pods.namespace, number)
			if where, known := local[place]; known {
				used[place] = true
				name, protocol := port.Name, port.Protocol
				slice.Ports = append(slice.Ports, discoveryv1.EndpointPort{Name: &name, Port: &where, Protocol: &protocol})
			}
		}
	}
	if len(slice.Ports) == 0 {
		return nil, nil
	}
	return slice, nil
}

// port is the container's port that a Service's port leads to.
func (w *workload) port(port corev1.ServicePort) (int32, error) {
	target := port.TargetPort
	if target.Type == intstr.Int {
		if target.IntVal != 0 {
			return target.IntVal, nil
		}
		return port.Port, nil
	}
	for _, container := range w.pods.Spec.Containers {
		for _, candidate := range container.Ports {
			if candidate.Name == target.StrVal {
				return candidate.ContainerPort, nil
			}
		}
	}
	return 0, fmt.Errorf("no container of %s has a port named %s", w.name, target.StrVal)
}
