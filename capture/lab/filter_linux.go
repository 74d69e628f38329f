package lab

import "golang.org/x/sys/unix"

// A socket filter of a TCP socket sees the segment from its TCP header on
// (net/ipv4/tcp_ipv4.c: tcp_filter). What it returns 0 for is dropped before TCP sees it.
const (
	offsetDataOffset = 12
	offsetFlags      = 13

	flagFIN = 0x01
	flagSYN = 0x02
	flagRST = 0x04
)

// dropFilter returns a filter that drops segments of any of the kinds: FIN, SYN, RST by
// their flag, ACK without flag or data, data, or all.
func dropFilter(kinds []string) []unix.SockFilter {
	var code []unix.SockFilter
	for _, kind := range kinds {
		switch kind {
		case "FIN":
			code = append(code, dropFlag(flagFIN)...)
		case "SYN":
			code = append(code, dropFlag(flagSYN)...)
		case "RST":
			code = append(code, dropFlag(flagRST)...)
		case "ACK":
			code = append(code, dropACK()...)
		case "data":
			code = append(code, dropData()...)
		case "all":
			code = append(code, verdict(0))
		}
	}
	return append(code, verdict(^uint32(0)))
}

// dropFlag drops a segment that has any of the flags.
func dropFlag(flags uint32) []unix.SockFilter {
	return []unix.SockFilter{
		statement(unix.BPF_LD|unix.BPF_B|unix.BPF_ABS, offsetFlags),
		jump(unix.BPF_JMP|unix.BPF_JSET|unix.BPF_K, flags, 0, 1),
		verdict(0),
	}
}

// payload leaves the segment's payload length in A.
func payload() []unix.SockFilter {
	return []unix.SockFilter{
		statement(unix.BPF_LD|unix.BPF_B|unix.BPF_ABS, offsetDataOffset),
		statement(unix.BPF_ALU|unix.BPF_RSH|unix.BPF_K, 4),
		statement(unix.BPF_ALU|unix.BPF_LSH|unix.BPF_K, 2),
		statement(unix.BPF_MISC|unix.BPF_TAX, 0),
		statement(unix.BPF_LD|unix.BPF_W|unix.BPF_LEN, 0),
		statement(unix.BPF_ALU|unix.BPF_SUB|unix.BPF_X, 0),
	}
}

func dropData() []unix.SockFilter {
	return append(payload(),
		jump(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, 0, 1, 0),
		verdict(0))
}

func dropACK() []unix.SockFilter {
	return append(payload(),
		jump(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, 0, 0, 3),
		statement(unix.BPF_LD|unix.BPF_B|unix.BPF_ABS, offsetFlags),
		jump(unix.BPF_JMP|unix.BPF_JSET|unix.BPF_K, flagFIN|flagSYN|flagRST, 1, 0),
		verdict(0))
}

func statement(code uint16, k uint32) unix.SockFilter { return unix.SockFilter{Code: code, K: k} }

func jump(code uint16, k uint32, yes, no uint8) unix.SockFilter {
	return unix.SockFilter{Code: code, K: k, Jt: yes, Jf: no}
}

func verdict(keep uint32) unix.SockFilter { return statement(unix.BPF_RET|unix.BPF_K, keep) }
