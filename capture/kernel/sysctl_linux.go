package kernel

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/closecap/closecap/capture/hint"
)

// SetSysctl sets net.ipv4.NAME, such as "tcp_fin_timeout", in the private namespace. Outside of
// one it refuses (os.ErrPermission): the setting would be the whole machine's.
func SetSysctl(name, value string) error {
	if !InPrivate() {
		return hint.With(fmt.Errorf("set sysctl %s: not in a private namespace: %w", name, os.ErrPermission),
			"run it with --private")
	}
	if name == "" || strings.ContainsAny(name, "/\x00") || strings.HasPrefix(name, ".") {
		return fmt.Errorf("set sysctl %q: not a name of net.ipv4: %w", name, os.ErrInvalid)
	}
	f, err := os.OpenFile(sysctlPath(name), os.O_WRONLY, 0)
	if err != nil {
		return hint.With(fmt.Errorf("set sysctl %s: %w", name, err),
			"ls /proc/sys/net/ipv4 lists the names; some exist only outside of namespaces")
	}
	defer f.Close()
	if _, err := f.WriteString(value); err != nil {
		return fmt.Errorf("set sysctl %s to %q: %w", name, value, err)
	}
	return nil
}

// Sysctl returns a setting of net.ipv4 as it is in this network namespace.
func Sysctl(name string) (string, error) {
	b, err := os.ReadFile(sysctlPath(name))
	if err != nil {
		return "", fmt.Errorf("read sysctl %s: %w", name, err)
	}
	return strings.TrimSpace(string(b)), nil
}

func sysctlPath(name string) string { return filepath.Join("/proc/sys/net/ipv4", name) }
