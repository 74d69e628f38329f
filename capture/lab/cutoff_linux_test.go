package lab

import (
	"testing"
)

// TestCutOff kills an actor whose background calls wait: they never returned, though the recording went on.
func TestCutOff(t *testing.T) {
	rec := run(t, parse(t, `
server listen
client connect
server accept
client setsockopt SO_LINGER 20
client send 256k
client& close
until client FIN_WAIT1
kill client
server recv 256k MSG_WAITALL
server recv -> EOF
`), Options{})
	for _, c := range rec.Calls {
		if !c.Thread {
			continue
		}
		if c.Name != "close" || c.End != 0 || c.Abandoned <= c.Start || c.Signal != "SIGKILL" || c.Ret != -1 || c.Note != "did not return: SIGKILL ended its thread" {
			t.Errorf("%+v, want no end, and what ended it", c)
		}
		return
	}
	t.Errorf("no call of a thread in %+v", rec.Calls)
}
