package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
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
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"status": status},
		Setup: func(env *testscript.Env) error {
			env.Setenv("TESTDATA", testdata)
			return nil
		},
	})
}

// status is a command of scripts: "status N PROGRAM ARG..." runs it and wants that exit status.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N PROGRAM ARG...")
	}
	code := 0
	err := ts.Exec(args[1], args[2:]...)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit status %d, want %s", code, args[0])
	}
}
