package compat

import "strings"

// connState is Zeek's conn_state: the first of doc/compat.md's rules that matches.
func (z *zeekConn) connState() string {
	oh, rh := &z.ends[z.orig], &z.ends[z.orig.Other()]
	o, r := oh.state, rh.state
	oInactive, rInactive := o <= zeekPartial, r <= zeekPartial
	switch {
	case r == zeekReset:
		switch {
		case o == zeekSynSent || o == zeekSynAckSent, o == zeekReset && oh.sentNothing() && rh.sentNothing():
			return "REJ"
		case oInactive:
			return "RSTRH"
		}
		return "RSTR"
	case o == zeekReset:
		switch {
		case !rInactive:
			return "RSTO"
		case abandoned(string(z.letters)):
			return "RSTOS0"
		}
		return "OTH"
	case o == zeekClosed && r == zeekClosed:
		return "SF"
	case o == zeekClosed:
		if rInactive {
			return "SH"
		}
		return "S2"
	case r == zeekClosed:
		if oInactive {
			return "SHR"
		}
		return "S3"
	case o == zeekSynSent && r == zeekInactive:
		return "S0"
	case o == zeekEstablished && r == zeekEstablished:
		return "S1"
	}
	return "OTH"
}

// abandoned matches a history of a SYN, then no H, A, F, G, I, Q of the originator, then R.
func abandoned(history string) bool {
	rest, ok := strings.CutPrefix(strings.TrimPrefix(history, "^"), "S")
	if !ok {
		return false
	}
	before, _, found := strings.Cut(rest, "R")
	return found && !strings.ContainsAny(before, "HAFGIQ")
}
