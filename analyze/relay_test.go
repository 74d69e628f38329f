package analyze_test

import (
	"testing"

	"github.com/closecap/closecap/analyze"
)

// TestIsGatewayError holds which statuses say that there was nobody to answer behind the gateway.
func TestIsGatewayError(t *testing.T) {
	for status, want := range map[int]bool{200: false, 500: false, 501: false, 502: true, 503: true, 504: true, 505: false} {
		if got := analyze.IsGatewayError(status); got != want {
			t.Errorf("IsGatewayError(%d) = %v, want %v", status, got, want)
		}
	}
}
