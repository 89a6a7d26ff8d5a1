// SPDX-License-Identifier: Apache-2.0
// What Istio's test server needs of package testing: it may fail, and has things to clean up.

package xds

import (
	"fmt"
	"os"
	"sync"
)

// failer ends the program where a test would fail; finish undoes what was started.
type failer struct {
	lock     sync.Mutex
	cleanups []func()
}

func (f *failer) Fail()                             { f.FailNow() }
func (f *failer) FailNow()                          { f.Fatal("failed") }
func (f *failer) Fatalf(format string, args ...any) { f.Fatal(fmt.Sprintf(format, args...)) }
func (f *failer) Log(args ...any)                   { fmt.Fprintln(os.Stderr, args...) }
func (f *failer) Logf(format string, args ...any)   { f.Log(fmt.Sprintf(format, args...)) }
func (f *failer) Skip(args ...any)                  { f.Fatal(args...) }
func (f *failer) Helper()                           {}

func (f *failer) Fatal(args ...any) {
	f.Log(append([]any{"xds:"}, args...)...)
	f.finish()
	os.Exit(1)
}

func (f *failer) TempDir() string {
	folder, err := os.MkdirTemp("", "xds-")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = os.RemoveAll(folder) })
	return folder
}

func (f *failer) Cleanup(undo func()) {
	f.lock.Lock()
	defer f.lock.Unlock()
	f.cleanups = append(f.cleanups, undo)
}

// finish runs the cleanups, the last one first, each once.
func (f *failer) finish() {
	f.lock.Lock()
	undo := f.cleanups
	f.cleanups = nil
	f.lock.Unlock()
	for i := len(undo) - 1; i >= 0; i-- {
		undo[i]()
	}
}
