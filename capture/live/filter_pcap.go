//go:build cgo && !nopcap && !windows

package live

/*
#cgo LDFLAGS: -lpcap
#include <stdlib.h>
#include <pcap.h>

// compile returns the program, or NULL with the reason in err, which holds PCAP_ERRBUF_SIZE bytes.
static struct bpf_program *compile(int dlt, const char *expr, char *err) {
	struct bpf_program *prog = calloc(1, sizeof *prog);
	pcap_t *dead = pcap_open_dead(dlt, 262144);
	if (prog == NULL || dead == NULL) {
		snprintf(err, PCAP_ERRBUF_SIZE, "out of memory");
	} else if (pcap_compile(dead, prog, expr, 1, PCAP_NETMASK_UNKNOWN) < 0) {
		snprintf(err, PCAP_ERRBUF_SIZE, "%s", pcap_geterr(dead));
	} else {
		pcap_close(dead);
		return prog;
	}
	if (dead != NULL)
		pcap_close(dead);
	free(prog);
	return NULL;
}

static void release(struct bpf_program *prog) {
	pcap_freecode(prog);
	free(prog);
}

static int match(struct bpf_program *prog, unsigned len, const u_char *data, unsigned caplen) {
	struct pcap_pkthdr h = {.caplen = caplen, .len = len};
	return pcap_offline_filter(prog, &h, data);
}
*/
import "C"

import (
	"fmt"
	"runtime"
	"unsafe"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/hint"
)

// program is a compiled filter, freed when nothing refers to it.
type program struct{ c *C.struct_bpf_program }

// CompileFilter returns a test of packets of one link type (a LINKTYPE_ value) for an expression
// in pcap-filter(7)'s language. It needs libpcap: a build without returns errors.ErrUnsupported.
// The test is for one goroutine at a time.
//
// It is libpcap itself and not gopacket's wrapper, whose link types end at 255: Linux's "any"
// captures have 276.
func CompileFilter(expr string, linkType uint16) (func(*event.Packet) bool, error) {
	text := C.CString(expr)
	defer C.free(unsafe.Pointer(text))
	reason := (*C.char)(C.calloc(C.PCAP_ERRBUF_SIZE, 1))
	defer C.free(unsafe.Pointer(reason))
	c := C.compile(C.int(dlt(linkType)), text, reason)
	if c == nil {
		return nil, hint.With(fmt.Errorf("compile filter %q: %s", expr, C.GoString(reason)),
			"man 7 pcap-filter describes the language")
	}
	p := &program{c}
	runtime.AddCleanup(p, func(c *C.struct_bpf_program) { C.release(c) }, c)
	return p.match, nil
}

func (p *program) match(pkt *event.Packet) bool {
	data := (*C.u_char)(unsafe.SliceData(pkt.Data))
	ok := C.match(p.c, C.uint(pkt.WireLen), data, C.uint(len(pkt.Data))) != 0
	runtime.KeepAlive(p)
	return ok
}

// dlt returns libpcap's DLT_ value of a LINKTYPE_ value; they differ for the oldest few
// (https://www.tcpdump.org/linktypes.html).
func dlt(linkType uint16) uint16 {
	switch linkType {
	case 101:
		return C.DLT_RAW
	case 108:
		return C.DLT_LOOP
	}
	return linkType
}
