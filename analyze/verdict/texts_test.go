package verdict

import (
	"fmt"
	"strings"
	"testing"
)

func TestTextsStayAsTheyWere(t *testing.T) {
	for _, memory := range []*texts{nil, new(texts)} {
		var want, got []string
		for i := range 2000 {
			b := []byte(fmt.Sprint(i, " ", strings.Repeat("x", i%60)))
			if i == 1000 {
				b = make([]byte, 3*textsSize)
			}
			want, got = append(want, string(b)), append(got, memory.keep(b))
			clear(b)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("text %d of %d bytes is another now", i, len(want[i]))
			}
		}
	}
}

func TestTextsShareMemory(t *testing.T) {
	memory, b, kept := new(texts), make([]byte, 64), make([]string, 0, textsSize)
	each := testing.AllocsPerRun(10*textsSize/len(b), func() { kept = append(kept, memory.keep(b)) })
	if each != 0 {
		t.Errorf("keep allocates %v times a text", each)
	}
}
