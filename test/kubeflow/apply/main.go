// SPDX-License-Identifier: Apache-2.0

// Apply is what `kubectl apply` makes of an object of a cluster, by the code of kubectl and of the Kubernetes API: client
// side (three-way merge by the annotation of the last time) or server side (fields have managers), without a cluster.
//
//	apply <CASES.json >RESULTS.json
//
// CASES is a list of lists of steps {"by": "client" or "server", "manager": NAME, "object": MANIFEST}; for each list there
// is one result, the object after its steps. It is as an API server would have stored it, but without defaults.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apimachinery/pkg/util/managedfields/managedfieldstest"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/util/csaupgrade"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
)

const (
	lastApplied = "kubectl.kubernetes.io/last-applied-configuration"
	clientSide  = "kubectl-client-side-apply"
)

type step struct {
	By      string                     `json:"by"`
	Manager string                     `json:"manager"`
	Object  *unstructured.Unstructured `json:"object"`
}

// cluster is an API server with one object.
type cluster struct {
	fields managedfieldstest.TestFieldManager
	typed  runtime.Object // nil for kinds that Kubernetes does not know
}

func newCluster(object *unstructured.Unstructured) *cluster {
	kind := object.GroupVersionKind()
	if typed, err := scheme.Scheme.New(kind); err == nil {
		converter := applyconfigurations.NewTypeConverter(scheme.Scheme)
		return &cluster{managedfieldstest.NewTestFieldManager(converter, kind), typed}
	}
	return &cluster{managedfieldstest.NewTestFieldManager(managedfields.NewDeducedTypeConverter(), kind), nil}
}

func (c *cluster) live() *unstructured.Unstructured {
	accessor, err := runtime.DefaultUnstructuredConverter.ToUnstructured(c.fields.Live())
	if err != nil {
		panic(err)
	}
	return &unstructured.Unstructured{Object: accessor}
}

// server is `kubectl apply --server-side --force-conflicts`.
func (c *cluster) server(manifest *unstructured.Unstructured, manager string) error {
	if err := c.fields.Apply(manifest.DeepCopy(), manager, true); err != nil {
		return err
	}
	live := c.live()
	if text := live.GetAnnotations()[lastApplied]; text != "" {
		if err := c.annotate(live, manifest); err != nil {
			return err
		}
		live = c.live()
	}
	before := len(live.GetManagedFields())
	if err := csaupgrade.UpgradeManagedFields(live, sets.New(clientSide), manager); err != nil {
		return err
	}
	if len(live.GetManagedFields()) == before {
		return nil
	}
	if err := c.fields.Update(live, manager); err != nil {
		return err
	}
	return c.fields.Apply(manifest.DeepCopy(), manager, true)
}

// annotate is what kubectl does where client side was used before: its annotation is kept up to date.
func (c *cluster) annotate(live, manifest *unstructured.Unstructured) error {
	annotated, err := withAnnotation(manifest)
	if err != nil {
		return err
	}
	annotations := live.GetAnnotations()
	annotations[lastApplied] = annotated.GetAnnotations()[lastApplied]
	live.SetAnnotations(annotations)
	return c.fields.Update(live, clientSide)
}

func withAnnotation(manifest *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	copied := manifest.DeepCopy()
	text, err := json.Marshal(copied)
	if err != nil {
		return nil, err
	}
	annotations := copied.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[lastApplied] = string(text) + "\n"
	copied.SetAnnotations(annotations)
	return copied, nil
}

// client is `kubectl apply`.
func (c *cluster) client(manifest *unstructured.Unstructured, isNew bool) error {
	annotated, err := withAnnotation(manifest)
	if err != nil {
		return err
	}
	if isNew {
		return c.fields.Update(annotated, clientSide)
	}
	live := c.live()
	current, err := live.MarshalJSON()
	if err != nil {
		return err
	}
	modified, err := annotated.MarshalJSON()
	if err != nil {
		return err
	}
	merged, err := c.merged([]byte(live.GetAnnotations()[lastApplied]), modified, current)
	if err != nil {
		return err
	}
	result := &unstructured.Unstructured{}
	if err := result.UnmarshalJSON(merged); err != nil {
		return err
	}
	return c.fields.Update(result, clientSide)
}

func (c *cluster) merged(original, modified, current []byte) ([]byte, error) {
	if c.typed == nil {
		patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch(original, modified, current)
		if err != nil {
			return nil, err
		}
		return jsonpatch.MergePatch(current, patch)
	}
	schema, err := strategicpatch.NewPatchMetaFromStruct(c.typed)
	if err != nil {
		return nil, err
	}
	patch, err := strategicpatch.CreateThreeWayMergePatch(original, modified, current, schema, true)
	if err != nil {
		return nil, err
	}
	return strategicpatch.StrategicMergePatchUsingLookupPatchMeta(current, patch, schema)
}

func run(steps []step) (map[string]any, error) {
	api := newCluster(steps[0].Object)
	for number, one := range steps {
		manager := one.Manager
		if manager == "" {
			manager = "kubectl"
		}
		var err error
		switch one.By {
		case "server":
			err = api.server(one.Object, manager)
		case "client":
			err = api.client(one.Object, number == 0)
		default:
			err = fmt.Errorf("by %q", one.By)
		}
		if err != nil {
			return nil, fmt.Errorf("step %d, %s side: %w", number+1, one.By, err)
		}
	}
	live := api.live()
	accessor, err := meta.Accessor(live)
	if err != nil {
		return nil, err
	}
	accessor.SetManagedFields(nil)
	annotations := accessor.GetAnnotations()
	delete(annotations, lastApplied)
	if len(annotations) == 0 {
		annotations = nil
	}
	accessor.SetAnnotations(annotations)
	return live.Object, nil
}

func main() {
	var cases [][]step
	if err := json.NewDecoder(os.Stdin).Decode(&cases); err != nil {
		fmt.Fprintln(os.Stderr, "apply:", err)
		os.Exit(2)
	}
	results := make([]map[string]any, 0, len(cases))
	for _, steps := range cases {
		result, err := run(steps)
		if err != nil {
			fmt.Fprintln(os.Stderr, "apply:", err)
			os.Exit(1)
		}
		results = append(results, result)
	}
	if err := json.NewEncoder(os.Stdout).Encode(results); err != nil {
		fmt.Fprintln(os.Stderr, "apply:", err)
		os.Exit(1)
	}
}
