// SPDX-License-Identifier: Apache-2.0

// Actionlint checks the workflows of .github; the version is that of go.mod.
package main

import (
	"os"

	"github.com/rhysd/actionlint"
)

func main() {
	command := actionlint.Command{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	os.Exit(command.Main(os.Args))
}
