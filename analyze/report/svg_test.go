package report

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/google/go-cmp/cmp"
)

// element is an element of a picture with its data attributes.
type element map[string]string

// elements reads the data attributes of every row and lifeline of an SVG.
func elements(t *testing.T, svg string) []element {
	t.Helper()
	var out []element
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("read svg: %v", err)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		e := element{}
		for _, a := range start.Attr {
			if name, ok := strings.CutPrefix(a.Name.Local, "data-"); ok {
				e[name] = a.Value
			}
		}
		if len(e) > 0 {
			out = append(out, e)
		}
	}
}

// wantElements is what the JSON of r says the picture must hold, by frame and call.
func wantElements(r *analyze.Result) map[string]element {
	want := map[string]element{}
	for _, c := range r.Connections {
		for _, s := range c.Segments {
			want[fmt.Sprintf("frame %d", s.Frame)] = element{"from": string(s.From), "flags": s.FlagText,
				"seq": fmt.Sprint(s.Seq), "ack": fmt.Sprint(s.Ack), "len": fmt.Sprint(s.Len),
				"kind": string(s.Kind), "lost": s.Lost, "connection": fmt.Sprint(c.ID)}
		}
	}
	for _, c := range r.Calls {
		want[fmt.Sprintf("call %d", c.ID)] = element{"side": string(c.Side), "ret": fmt.Sprint(c.Ret), "errno": Safe(c.Errno),
			"caused":      numbers(c.Caused, func(f uint64) uint64 { return f }),
			"returned-by": numbers(c.ReturnedBy, func(f uint64) uint64 { return f })}
	}
	return want
}

func TestPictureSaysWhatTheJSONSays(t *testing.T) {
	for name, r := range pictured() {
		checkPicture(t, name, r)
	}
}

// checkPicture holds the data attributes of r's picture against r.
func checkPicture(t *testing.T, name string, r *analyze.Result) {
	t.Helper()
	want := wantElements(r)
	states := map[string][]string{}
	for _, e := range elements(t, render(t, SVG, r, Options{})) {
		for _, side := range []string{"client", "server"} {
			if names := e["enters-"+side]; names != "" {
				key := e["connection"] + side
				states[key] = append(states[key], strings.Fields(names)...)
			}
		}
		for _, frame := range strings.Fields(e["frames"]) {
			delete(want, "frame "+frame)
		}
		for _, call := range strings.Fields(e["calls"]) {
			delete(want, "call "+call)
		}
		key := "frame " + e["frame"]
		if e["call"] != "" && e["first"] == "" {
			key = "call " + e["call"]
		} else if e["frame"] == "" {
			continue
		}
		for attribute, value := range want[key] {
			if e[attribute] != value {
				t.Errorf("%s: %s: data-%s = %q, want %q", name, key, attribute, e[attribute], value)
			}
		}
		delete(want, key)
	}
	for key := range want {
		t.Errorf("%s: %s is not in the picture", name, key)
	}
	checkStates(t, name, r, states)
}

func checkStates(t *testing.T, name string, r *analyze.Result, got map[string][]string) {
	t.Helper()
	for _, c := range r.Connections {
		for _, side := range bothSides {
			var want []string
			for _, ch := range *c.States.Of(side) {
				want = append(want, ch.State.String())
			}
			if diff := cmp.Diff(want, got[fmt.Sprint(c.ID, side)]); diff != "" {
				t.Errorf("%s: conn %d %s: states (-json +picture):\n%s", name, c.ID, side, diff)
			}
		}
	}
}

func TestMermaid(t *testing.T) {
	for name, r := range pictured() {
		got := render(t, Mermaid, r, Options{})
		checkGolden(t, name+".mmd", got)
		if strings.ContainsAny(strings.ReplaceAll(got, "<br/>", ""), "<&`\"\x1b\u202e") {
			t.Errorf("%s: not escaped:\n%s", name, got)
		}
	}
}
