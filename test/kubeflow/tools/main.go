// SPDX-License-Identifier: Apache-2.0

// Tools is kustomize, istioctl and xds in one program, which does what the name says by which it is called:
// they share nearly all of what has to be compiled and linked.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"istio.io/istio/istioctl/pkg/analyze"
	"istio.io/istio/istioctl/pkg/cli"
	"istio.io/istio/istioctl/pkg/validate"

	"mod-auth-keycloak/test/kubeflow/xds"
)

func main() {
	name, args := filepath.Base(os.Args[0]), os.Args[1:]
	switch name {
	case "kustomize":
		os.Exit(kustomize(args))
	case "istioctl":
		os.Exit(istioctl(args))
	case "xds":
		os.Exit(xds.Main(args))
	}
	fmt.Fprintf(os.Stderr, "%s: to be called as kustomize, istioctl or xds\n", name)
	os.Exit(2)
}

// kustomize is `kustomize build DIR` with the defaults of that command.
func kustomize(args []string) int {
	if len(args) != 2 || args[0] != "build" {
		fmt.Fprintln(os.Stderr, "usage: kustomize build DIR")
		return 2
	}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), args[1])
	if err == nil {
		var text []byte
		if text, err = built.AsYaml(); err == nil {
			_, err = os.Stdout.Write(text)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		return 1
	}
	return 0
}

// istioctl has the two of its commands that need no cluster: analyze --use-kube=false and validate.
func istioctl(args []string) int {
	root := &cobra.Command{Use: "istioctl", SilenceUsage: true}
	context := cli.NewCLIContext(cli.AddRootFlags(root.PersistentFlags()))
	root.AddCommand(analyze.Analyze(context), validate.NewValidateCommand(context))
	root.SetArgs(args)
	if err := root.Execute(); err != nil {
		return 1
	}
	return 0
}
