package analyze

import (
	"fmt"
	"strconv"
	"time"
)

// Span writes a duration for people.
func Span(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + Span(-d)
	case d < 100*time.Microsecond:
		return decimals(float64(d)/1e3, 0, " µs")
	case d < time.Second:
		return decimals(float64(d)/1e6, 1, " ms")
	case d < time.Minute:
		return decimals(d.Seconds(), 1, " s")
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
}

func decimals(x float64, digits int, unit string) string {
	var b [32]byte
	return string(append(strconv.AppendFloat(b[:0], x, 'f', digits, 64), unit...))
}
