package closecap

import (
	"bytes"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/capture/hint"
	"github.com/closecap/closecap/capture/pcapfile"
	"github.com/closecap/closecap/capture/pcapfile/gen"
)

// More open connections than fit into the memory are refused, rather than each told as several: 20,000 are
// open here, where 4 MB hold about 3,000.
func TestMoreOpenConnectionsThanFit(t *testing.T) {
	var b bytes.Buffer
	if _, err := gen.Write(&b, gen.Options{Connections: 20_000, Open: 20_000}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		memory  int64
		refused bool
	}{{64 << 20, false}, {4 << 20, true}} {
		r := pcapfile.NewReader(bytes.NewReader(b.Bytes()), "generated", pcapfile.Options{})
		a := New(r, Options{Options: analyze.Options{MaxMemory: test.memory}})
		told, refused := 0, false
		for _, err := range a.Connections(t.Context()) {
			switch {
			case err == nil:
				told++
			case strings.Contains(err.Error(), "more are open at a time than fit into the memory") && strings.Contains(hint.Of(err), "--max-memory"):
				refused = true
			default:
				t.Fatal(err)
			}
		}
		if refused != test.refused || (a.Result() == nil) != test.refused {
			t.Errorf("%d MB: refused %v, result %v", test.memory>>20, refused, a.Result())
		}
		if !refused && told != 20_000 || told > 40_000 {
			t.Errorf("%d MB: %d connections told of 20000", test.memory>>20, told)
		}
	}
}
