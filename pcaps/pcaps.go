// Package pcaps holds recordings of the built-in scenarios, made on a real kernel. They are
// embedded: samples that need no privilege. Each has its expected analysis beside it, as JSON,
// for the tests.
package pcaps

import (
	"embed"
	"strings"

	"github.com/closecap/closecap/analyze/suggest"
)

//go:embed *.pcapng
var files embed.FS

const suffix = ".pcapng"

// Names lists the recordings.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil // an embedded directory is always there
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), suffix); ok {
			names = append(names, name)
		}
	}
	return names
}

// Recording returns the pcapng of that name.
func Recording(name string) ([]byte, error) {
	b, err := files.ReadFile(name + suffix)
	if err != nil {
		return nil, suggest.Unknown("sample", name, Names())
	}
	return b, nil
}
