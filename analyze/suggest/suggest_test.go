package suggest

import "testing"

func TestUnknown(t *testing.T) {
	known := []string{"graceful", "half-closed", "reset"}
	for word, want := range map[string]string{
		"gracefull":    `unknown ending "gracefull": did you mean "graceful"?`,
		"RST":          `unknown ending "RST": did you mean "reset"?`,
		"halfclosed":   `unknown ending "halfclosed": did you mean "half-closed"?`,
		"x":            `unknown ending "x" (known: graceful, half-closed, reset)`,
		"":             `unknown ending "" (known: graceful, half-closed, reset)`,
		"yesterday at": `unknown ending "yesterday at" (known: graceful, half-closed, reset)`,
	} {
		if got := Unknown("ending", word, known).Error(); got != want {
			t.Errorf("Unknown(%q) = %s, want %s", word, got, want)
		}
	}
}
