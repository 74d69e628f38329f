package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/closecap/closecap/capture/lab"
	"github.com/closecap/closecap/capture/trace"
)

func TestMain(m *testing.M) {
	lab.ActorMain()
	trace.LauncherMain()
	testscript.Main(tests{m}, map[string]func(){
		"closecap":  func() { os.Exit(mainExit()) },
		"insockets": func() { os.Exit(inSockets()) },
	})
}

// tests are all of the package. What they built goes with them.
type tests struct{ *testing.M }

func (m tests) Run() int {
	defer func() { os.RemoveAll(builtIn) }()
	return m.M.Run()
}

func TestScripts(t *testing.T) {
	testdata, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("TESTDATA", testdata)
			return nil
		},
	})
}
