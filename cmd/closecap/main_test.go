package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"closecap/capture/lab"
	"closecap/capture/trace"
)

func TestMain(m *testing.M) {
	lab.ActorMain()
	trace.LauncherMain()
	testscript.Main(m, map[string]func(){
		"closecap": func() { os.Exit(mainExit()) },
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
	})
}
