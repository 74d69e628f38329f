package encode

import "github.com/closecap/closecap/analyze"

// What several capture points tell is written here.

func appendVantage(b []byte, v analyze.Vantage) []byte {
	b = appendString(append(b, `{"point":`...), v.Point)
	b = appendAddress(append(b, `,"client":`...), v.Client)
	b = appendAddress(append(b, `,"server":`...), v.Server)
	b = appendPerSide(append(b, `,"packets":`...), v.Packets)
	if v.ClockAhead != nil {
		b = appendInt(append(b, `,"clock_ahead_ns":`...), *v.ClockAhead)
	}
	return append(b, '}')
}

func appendPath(b []byte, p *analyze.Path) []byte {
	b = append(b, '{')
	if len(p.Lost) > 0 {
		b = appendList(append(b, `"lost":`...), p.Lost, appendOnPath)
	}
	if len(p.Made) > 0 {
		if len(p.Lost) > 0 {
			b = append(b, ',')
		}
		b = appendList(append(b, `"made":`...), p.Made, appendOnPath)
	}
	return append(b, '}')
}

func appendOnPath(b []byte, o analyze.OnPath) []byte {
	b = appendUint(append(b, `{"frame":`...), o.Frame)
	b = appendString(append(appendFrom(b, o.From), `,"flags":`...), o.Flags)
	b = appendUint(append(b, `,"bytes":`...), uint64(o.Bytes))
	b = appendString(append(b, `,"seen":`...), o.Seen)
	b = appendString(append(b, `,"missing":`...), o.Missing)
	b = appendWord(append(b, `,"confidence":`...), string(o.Confidence))
	if o.Why != "" {
		b = appendString(append(b, `,"why":`...), o.Why)
	}
	return append(b, '}')
}

func appendSighting(b []byte, s analyze.Sighting) []byte {
	b = appendString(append(b, `{"point":`...), s.Point)
	return append(appendUint(append(b, `,"frame":`...), s.Frame), '}')
}
