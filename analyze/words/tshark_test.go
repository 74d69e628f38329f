package words_test

import (
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/words"
)

// dissected are the captures' ports, and what tshark is to read there: it goes by the port.
var dissected = map[string]string{
	"grpc-max-age": "7051,http2", "h2-internal-error": "7081,http2", "h2-rst-stream": "7080,http2",
	"h2-shutdown": "7080,http2", "server-h2": "7808,http2", "server-h2-answers": "7181-7381,http2", "ws-1001": "7070,http", "ws-1009": "7070,http",
	"ws-no-close-frame": "7070,http", "tls12-abrupt": "7511,tls", "server-tls1_2": "7802,tls",
	"server-tls1_3": "7802,tls", "pg-terminated": "7432,pgsql", "redis-maxclients": "7001,resp",
	"server-redis": "7801,resp", "server-mysql": "7803,mysql", "server-http": "7804,http",
	"server-http2nd": "7804,http", "server-chunked": "7814,http", "server-ftp": "7806,ftp",
	"ftp-upload-killed": "7021,ftp", "smtp-data-cut": "7025,smtp", "server-smtp": "7807,smtp",
	"server-ssh": "7805,ssh", "server-postgres": "7733,pgsql", "server-haproxy": "7761,http", "server-sshd": "7751,ssh",
	"server-postfix": "7825,smtp", "server-vsftpd": "7821,ftp", "server-stalled": "7841,http", "server-http-errors": "7861,http",
	"server-mtls1_3": "7777,tls", "server-postfix-lost": "7744,smtp", "server-redis-left": "7711,resp", "server-postgres-login": "7722,pgsql",
	"server-mariadb": "7733,mysql", "server-sshd-keys": "7766,ssh", "server-sshd-alive": "7766,ssh", "server-ftp-unconnected": "7755,ftp",
}

// fields are what tshark may say of a frame, and how the words have it. A value of a frame's that is not in
// the words of it contradicts them.
var fields = []struct {
	name string
	word func(value string) string
}{
	{"http2.goaway.error", h2Code},
	{"http2.rst_stream.error", h2Code},
	{"http2.headers.status", same},
	{"websocket.payload.close.status_code", same},
	{"tls.alert_message.desc", alertName},
	{"pgsql.code", same},
	{"pgsql.message", same},
	{"mysql.error_code", same},
	{"mysql.error.message", same},
	{"http.response.code", same},
	{"http.request.method", same},
	{"ftp.response.code", same},
	{"ftp.request.command", same},
	{"smtp.response.code", same},
	{"smtp.req.command", same},
	{"resp.error", same},
}

func same(v string) string { return v }

func alertName(v string) string {
	names := map[string]string{"0": "close_notify", "48": "unknown_ca", "70": "protocol_version"}
	return names[v]
}

func h2Code(v string) string {
	names := []string{"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", 8: "CANCEL"}
	n, err := strconv.Atoi(v)
	if err != nil || n >= len(names) {
		return "unnamed code " + v
	}
	return names[n]
}

// TestDissection holds the words of each capture to what tshark reads in the same frame. All captures are one
// to it, since it takes its time to start.
func TestDissection(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
	names := slices.Sorted(maps.Keys(dissected))
	first := map[string]uint64{} // the number of frames before those of a capture
	merge := []string{"-a", "-w", filepath.Join(t.TempDir(), "all.pcapng")}
	args := []string{"-r", merge[2], "-T", "fields", "-E", "separator=/t", "-E", "occurrence=l", "-e", "frame.number"}
	all := map[string][]packet{}
	n := uint64(0)
	for _, name := range names {
		file := "testdata/" + name + ".pcap"
		merge = append(merge, file)
		args = append(args, "-d", "tcp.port=="+dissected[name])
		all[name] = read(t, file)
		first[name] = n
		n += all[name][len(all[name])-1].Frame
	}
	if out, err := exec.Command("mergecap", merge...).CombinedOutput(); err != nil {
		t.Fatalf("mergecap: %v\n%s", err, out)
	}
	for _, f := range fields {
		args = append(args, "-e", f.name)
	}
	out, err := exec.Command("tshark", args...).Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	var frames [][]string
	for line := range strings.Lines(string(out)) {
		frames = append(frames, strings.Split(strings.TrimSuffix(line, "\n"), "\t")[1:])
	}
	if uint64(len(frames)) != n {
		t.Fatalf("%d frames, tshark shows %d", n, len(frames))
	}
	compared := 0
	for _, name := range names {
		for _, h := range heard(all[name]) {
			for _, e := range [...]words.End{words.Client, words.Server} {
				if w := h.Words(e, h.over, false); w != nil && w.Frame != 0 {
					compared += compare(t, name, w, frames[first[name]+w.Frame-1])
				}
			}
		}
	}
	if compared < 30 {
		t.Errorf("%d values compared, want 30 or more", compared)
	}
}

// compare holds words to what tshark says of their frame, and returns how many values it says.
func compare(t *testing.T, name string, w *analyze.Words, values []string) (n int) {
	for i, value := range values {
		if value == "" {
			continue
		}
		n++
		want := fields[i].word(value)
		if want == "" || !strings.Contains(strings.ToLower(w.Meaning), strings.ToLower(want)) {
			t.Errorf("%s frame %d: %s is %q for tshark, the words are %q", name, w.Frame, fields[i].name, value, w.Meaning)
		}
	}
	return n
}
