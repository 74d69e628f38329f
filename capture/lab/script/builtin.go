package script

import (
	"embed"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/closecap/closecap/analyze/suggest"
)

//go:embed scripts/*.close
var scripts embed.FS

var builtin = sync.OnceValue(func() []*Script {
	files, err := scripts.ReadDir("scripts")
	if err != nil {
		panic(err)
	}
	var all []*Script
	for _, f := range files {
		src, err := scripts.ReadFile(path.Join("scripts", f.Name()))
		if err != nil {
			panic(err)
		}
		s, err := Parse(strings.TrimSuffix(f.Name(), ".close"), src)
		if err != nil {
			panic(fmt.Sprintf("built-in scenario: %v", err)) // a test parses each of them
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *Script) int { return strings.Compare(a.Name, b.Name) })
	return all
})

// Builtin returns the scenarios that the program brings with it, by name. They are shared:
// do not change them.
func Builtin() []*Script { return builtin() }

// Lookup returns the built-in scenario of that name; its error names the nearest one.
func Lookup(name string) (*Script, error) {
	var names []string
	for _, s := range Builtin() {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return nil, suggest.Unknown("scenario", name, names)
}
