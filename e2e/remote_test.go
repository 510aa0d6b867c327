//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// remote is another machine: a network namespace with a cable to this one. Its
// addresses are of TEST-NET-1, which no real network has.
type remote struct {
	name string
	// here is this machine's address at the cable.
	here string
}

// newRemote makes one, and takes it away when the test ends. Where this machine lets its
// user make no network namespaces it skips the test and says why; where it lets him,
// whatever else is missing fails the test.
func newRemote(t *testing.T) *remote {
	t.Helper()
	if err := namespaces(); err != nil {
		t.Skipf("NO REMOTE ATTACKER: this machine does not let its user make network namespaces (run as root): %v", err)
	}
	ip := func(args ...string) error {
		out, err := exec.Command("ip", args...).CombinedOutput() //nolint:noctx // short, and wanted in Cleanup too
		if err != nil {
			return fmt.Errorf("ip %s: %w %s", strings.Join(args, " "), err, out)
		}
		return nil
	}
	used, err := exec.Command("ip", "-o", "-4", "addr", "show").Output() //nolint:noctx // short
	if err != nil {
		t.Fatalf("network namespaces can be made here, but there is no `ip` (install iproute2): %v", err)
	}
	pid := os.Getpid()
	n := -1 // Other runs on this machine have another number, and another cable.
	for i := range 64 {
		if k := 4 * ((pid + i) % 64); !strings.Contains(string(used), fmt.Sprintf(" 192.0.2.%d/", k+1)) {
			n = k
			break
		}
	}
	if n < 0 {
		t.Fatal("network namespaces can be made here, but all of 192.0.2.0/24 is in use")
	}
	r := &remote{name: fmt.Sprintf("hone-e2e-%d", pid), here: fmt.Sprintf("192.0.2.%d", n+1)}
	cable, end := fmt.Sprintf("hn%dh", pid), fmt.Sprintf("hn%dr", pid)
	if err := ip("netns", "add", r.name); err != nil {
		t.Fatalf("network namespaces can be made here, but not by ip: %v", err)
	}
	t.Cleanup(func() {
		_ = ip("link", "del", cable) // the other end goes with it
		if err := ip("netns", "del", r.name); err != nil {
			t.Error(err)
		}
	})
	for _, args := range [][]string{
		{"link", "add", cable, "type", "veth", "peer", "name", end, "netns", r.name},
		{"addr", "add", r.here + "/30", "dev", cable},
		{"link", "set", cable, "up"},
		{"-n", r.name, "addr", "add", fmt.Sprintf("192.0.2.%d/30", n+2), "dev", end},
		{"-n", r.name, "link", "set", end, "up"},
		{"netns", "exec", r.name, "true"},
	} {
		if err := ip(args...); err != nil {
			t.Fatalf("network namespaces can be made here, but: %v", err)
		}
	}
	return r
}

// fire has the remote machine send shots.
func (r *remote) fire(t testing.TB, shots []shot) (out []reply) {
	t.Helper()
	in, err := json.Marshal(shots)
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "ip", "netns", "exec", r.name, os.Args[0])
	cmd.Env = append(os.Environ(), attackerRole+"=1")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &said
	b, err := cmd.Output()
	if err != nil {
		t.Fatalf("the remote attacker: %v\n%s", err, said.String())
	}
	if err := json.Unmarshal(b, &out); err != nil || len(out) != len(shots) {
		t.Fatalf("the remote attacker: %v, %d replies to %d shots", err, len(out), len(shots))
	}
	return out
}
