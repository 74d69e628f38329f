package analyze

import (
	"fmt"
	"strconv"
	"time"
)

// Span writes a duration for people.
func Span(d time.Duration) string {
	var b [32]byte
	return string(AppendSpan(b[:0], d))
}

// AppendSpan appends what Span writes.
func AppendSpan(b []byte, d time.Duration) []byte {
	switch {
	case d < 0:
		return AppendSpan(append(b, '-'), -d)
	case d < 100*time.Microsecond:
		return append(strconv.AppendFloat(b, float64(d)/1e3, 'f', 0, 64), " µs"...)
	case d < time.Second:
		return append(strconv.AppendFloat(b, float64(d)/1e6, 'f', 1, 64), " ms"...)
	case d < time.Minute:
		return append(strconv.AppendFloat(b, d.Seconds(), 'f', 1, 64), " s"...)
	case d < time.Hour:
		return fmt.Appendf(b, "%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Appendf(b, "%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
}
