package suggest

import "testing"

func TestUnknown(t *testing.T) {
	known := []string{"graceful", "half-closed", "reset", "close"}
	for word, want := range map[string]string{
		"gracefull":    `unknown ending "gracefull": did you mean "graceful"?`,
		"RST":          `unknown ending "RST": did you mean "reset"?`,
		"halfclosed":   `unknown ending "halfclosed": did you mean "half-closed"?`,
		"grace":        `unknown ending "grace": did you mean "graceful"?`,
		"nope":         `unknown ending "nope" (known: graceful, half-closed, reset, close)`,
		"x":            `unknown ending "x" (known: graceful, half-closed, reset, close)`,
		"":             `unknown ending "" (known: graceful, half-closed, reset, close)`,
		"yesterday at": `unknown ending "yesterday at" (known: graceful, half-closed, reset, close)`,
	} {
		if got := Unknown("ending", word, known).Error(); got != want {
			t.Errorf("Unknown(%q) = %s, want %s", word, got, want)
		}
	}
}
