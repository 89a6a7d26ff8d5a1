// SPDX-License-Identifier: Apache-2.0
// Reads rendered manifests and keeps what Istio's control plane would read of them in a cluster.

package xds

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"
)

// workload is what counts of a Deployment or StatefulSet: the pods that it makes.
type workload struct {
	name, namespace string
	pods            corev1.PodTemplateSpec
}

// manifests are the objects of all files, by what is done with them.
type manifests struct {
	istio     []string // documents of Istio's own kinds
	gateways  []string // documents of the Gateway API's kinds
	services  []corev1.Service
	workloads []workload
	mesh      string // key mesh of ConfigMap istio
}

func readManifests(files []string) (*manifests, error) {
	all := &manifests{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		reader := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
		for {
			document, err := reader.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err == nil {
				err = all.add(document)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	return all, nil
}

// add sorts one document. Kinds that Istio does not read are left out.
func (m *manifests) add(document []byte) error {
	var head metav1.PartialObjectMetadata
	if err := sigsyaml.Unmarshal(document, &head); err != nil {
		return err
	}
	group, _, _ := strings.Cut(head.APIVersion, "/")
	switch {
	case strings.HasSuffix(group, ".istio.io"):
		m.istio = append(m.istio, string(bytes.TrimSpace(document)))
		return nil
	case group == "gateway.networking.k8s.io":
		m.gateways = append(m.gateways, string(bytes.TrimSpace(document)))
		return nil
	case head.Kind == "Service" && group == "v1":
		return m.addService(document)
	case head.Kind == "Deployment" || head.Kind == "StatefulSet":
		return m.addWorkload(document)
	case head.Kind == "ConfigMap" && head.Name == "istio" && head.Namespace == "istio-system":
		var settings corev1.ConfigMap
		if err := sigsyaml.Unmarshal(document, &settings); err != nil {
			return err
		}
		m.mesh = settings.Data["mesh"]
	}
	return nil
}

func (m *manifests) addService(document []byte) error {
	var service corev1.Service
	if err := sigsyaml.UnmarshalStrict(document, &service); err != nil {
		return err
	}
	for i := range service.Spec.Ports {
		// The API server fills this in.
		if service.Spec.Ports[i].Protocol == "" {
			service.Spec.Ports[i].Protocol = corev1.ProtocolTCP
		}
	}
	m.services = append(m.services, service)
	return nil
}

func (m *manifests) addWorkload(document []byte) error {
	// Deployment and StatefulSet have their pods' template in the same place.
	var object appsv1.Deployment
	if err := sigsyaml.Unmarshal(document, &object); err != nil {
		return err
	}
	m.workloads = append(m.workloads, workload{object.Name, object.Namespace, object.Spec.Template})
	return nil
}
