package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/closecap/closecap/capture/pcapfile/gen"
)

// asProgram lets the test be the program.
const asProgram = "CLOSECAP_FLEET_TEST_IS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(run(context.Background(), os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
	}
	os.Exit(m.Run())
}

// contents reads all files below a folder but those that the program says are its own until they are complete.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(e.Name(), ".closecap-fleet-") {
			return err
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		all[name] = string(b)
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return all
}

// Whenever the program is killed, what stands under a name of records is whole, and the summary is there only with all of
// them; what is left refuses to be mixed with another job's, and a job elsewhere writes the same bytes.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	files := append(host(t, dir+"/a", 12, 3000, 1), host(t, dir+"/b", 9, 2000, 2)...)
	args := func(out string) []string {
		a := []string{"analyze", "--out", out, "--buckets", "24", "--point-from", dir + "/([ab])/"}
		for _, f := range files {
			a = append(a, "--in", f)
		}
		return a
	}
	program := func(out string) *exec.Cmd {
		cmd := exec.Command(os.Args[0], args(out)...)
		cmd.Env = append(os.Environ(), asProgram+"=1")
		return cmd
	}
	begun := time.Now()
	if out, err := program(dir + "/whole").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	took := time.Since(begun)
	want := contents(t, dir+"/whole")
	if len(want) != 2*24+1 {
		t.Fatalf("%d files, want %d", len(want), 2*24+1)
	}
	delete(want, summaryName)
	cut, some := 0, 0
	const tries = 12
	for i := range tries {
		out := fmt.Sprintf("%s/killed-%d", dir, i)
		cmd := program(out)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		over := make(chan error, 1)
		go func() { over <- cmd.Wait() }()
		// A job writes at its end: most of the tries wait for that, and the others for less.
		for until := time.Now().Add(took * time.Duration(i+1) / tries); time.Now().Before(until); time.Sleep(time.Millisecond) {
			if i%2 == 1 && len(contents(t, out)) > i*2 {
				break
			}
		}
		cmd.Process.Kill()
		<-over
		got := contents(t, out)
		_, done := got[summaryName]
		delete(got, summaryName)
		if done && len(got) != len(want) {
			t.Errorf("try %d: a summary beside %d files, want %d", i, len(got), len(want))
		}
		for name, content := range got {
			if content != want[name] {
				t.Errorf("try %d: %s has %d bytes that are not the %d of the whole job", i, name, len(content), len(want[name]))
			}
		}
		if !done {
			cut++
		}
		if !done && len(got) > 0 {
			some++
			if again, err := program(out).CombinedOutput(); err == nil || !bytes.Contains(again, []byte("already")) {
				t.Errorf("try %d: a job beside what another left: %v, %s", i, err, again)
			}
		}
	}
	if cut == 0 || some == 0 {
		t.Errorf("of %d jobs %d were killed before their end, %d of them with some of their files written: nothing was tested", tries, cut, some)
	}
	if out, err := program(dir + "/again").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	again := contents(t, dir+"/again")
	for name, content := range want {
		if again[name] != content {
			t.Errorf("%s differs from one run to the next", name)
		}
	}
}

var manyFiles = flag.Int("files", 1000, "how many files TestManyFiles reads")

// Of very many small files the records are those of one process.
func TestManyFiles(t *testing.T) {
	dir := t.TempDir()
	names := rotated(t, dir+"/h", *manyFiles)
	out := dir + "/out"
	begun := time.Now()
	code, said := closecapFleet(t, "analyze", "--in", dir+"/h/*", "--out", out, "--buckets", "7")
	if code != exitDone {
		t.Fatalf("exit code %d: %s", code, said)
	}
	t.Logf("%d files in %v: %s", len(names), time.Since(begun).Round(time.Millisecond), said)
	same(t, fmt.Sprint(len(names), " files"), single(t, "", names, false), written(t, out+"/bucket-*.ndjson"))
}

// rotated writes a generated capture as so many plain files.
func rotated(t *testing.T, dir string, files int) (names []string) {
	t.Helper()
	var b bytes.Buffer
	if _, err := gen.Write(&b, gen.Options{Connections: files, Open: 50, Seed: 5}); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	capture, ends := b.Bytes(), recordEnds(b.Bytes())
	from := headerSize
	for i := range files {
		to := ends[(i+1)*len(ends)/files-1]
		name := fmt.Sprintf("%s/%06d.pcap", dir, i)
		if err := os.WriteFile(name, append(append([]byte{}, capture[:headerSize]...), capture[from:to]...), 0o666); err != nil {
			t.Fatal(err)
		}
		names, from = append(names, name), to
	}
	return names
}
