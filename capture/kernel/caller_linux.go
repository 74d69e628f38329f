package kernel

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/closecap/closecap/capture/hint"
)

// caller is the user on whose behalf root runs this program.
type caller struct {
	uid, gid int
	groups   []int
	env      map[string]string // that name the user
}

// findCaller returns who called sudo, nil when nobody did, or root itself. Where the program is
// root by its file's set-uid bit, the environment is the caller's own and proves nothing: the
// caller is the real user.
func findCaller() (*caller, error) {
	if uid := os.Getuid(); uid != 0 {
		groups, err := os.Getgroups()
		return &caller{uid: uid, gid: os.Getgid(), groups: groups}, err
	}
	uidText, byUID := os.LookupEnv("SUDO_UID")
	gidText, byGID := os.LookupEnv("SUDO_GID")
	if !byUID && !byGID {
		return nil, nil
	}
	uid, err := parseID("SUDO_UID", uidText)
	if err != nil {
		return nil, err
	}
	gid, err := parseID("SUDO_GID", gidText)
	if err != nil {
		return nil, err
	}
	name := os.Getenv("SUDO_USER")
	if u, err := user.Lookup(name); err == nil && u.Uid != strconv.Itoa(uid) {
		return nil, notSudo("SUDO_USER is %q, who is user %s, but SUDO_UID is %d", name, u.Uid, uid)
	}
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil { // no account of this system: only its numbers are known
		u = &user.User{Username: cmp.Or(name, uidText), HomeDir: "/"}
	}
	groups := groupsOf(u)
	if uid == 0 && gid != 0 || uid != 0 && gid == 0 && !slices.Contains(groups, 0) {
		return nil, notSudo("SUDO_UID is %d, but SUDO_GID is %d", uid, gid)
	}
	if uid == 0 {
		return nil, nil
	}
	if !slices.Contains(groups, gid) {
		groups = append(groups, gid)
	}
	return &caller{uid: uid, gid: gid, groups: groups, env: environOf(u)}, nil
}

// parseID reads a user's or group's number. 4294967295 is none: to the kernel it is -1, which
// leaves the ID as it was (setresuid(2)).
func parseID(variable, text string) (int, error) {
	id, err := strconv.ParseUint(text, 10, 32)
	if err != nil || id == math.MaxUint32 {
		return 0, notSudo("%s is %q: want a number from 0 to 4294967294", variable, text)
	}
	return int(id), nil
}

// notSudo is the refusal of variables that sudo does not set so.
func notSudo(format string, args ...any) error {
	return hint.With(fmt.Errorf("drop privileges: "+format, args...),
		"sudo sets these variables; as root without sudo: env -u SUDO_UID -u SUDO_GID closecap ...")
}

// groupsOf returns the groups that the system says u is in, none where it does not know.
func groupsOf(u *user.User) []int {
	ids, err := u.GroupIds()
	if err != nil {
		return nil
	}
	var groups []int
	for _, id := range ids {
		if g, err := strconv.Atoi(id); err == nil {
			groups = append(groups, g)
		}
	}
	return groups
}

// environOf are the variables that name the user, as a login sets them (login(1)).
func environOf(u *user.User) map[string]string {
	env := map[string]string{"HOME": u.HomeDir, "USER": u.Username, "LOGNAME": u.Username, "SHELL": shellOf(u.Username)}
	if mail := os.Getenv("MAIL"); mail != "" {
		env["MAIL"] = filepath.Join(filepath.Dir(mail), u.Username)
	}
	return env
}

// shellOf reads the user's shell from passwd(5); an account from elsewhere gets the usual one.
func shellOf(name string) string {
	f, err := os.Open("/etc/passwd")
	if err != nil {
		return "/bin/sh"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) == 7 && fields[0] == name && fields[6] != "" {
			return fields[6]
		}
	}
	return "/bin/sh"
}

// sudoVariables say that sudo was there.
var sudoVariables = []string{"SUDO_UID", "SUDO_GID", "SUDO_USER", "SUDO_COMMAND"}

// setEnv changes this process's environment to the caller's. What says that sudo was there goes:
// nothing that starts from here on is root.
func (c *caller) setEnv() error {
	if c.env == nil {
		return nil
	}
	var errs []error
	for name, value := range c.env {
		errs = append(errs, os.Setenv(name, value))
	}
	for _, name := range sudoVariables {
		errs = append(errs, os.Unsetenv(name))
	}
	return errors.Join(errs...)
}

// withoutSudo takes them out of an environment.
func withoutSudo(env []string) []string {
	return slices.DeleteFunc(env, func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains(sudoVariables, name)
	})
}
