package config

import (
	"slices"
	"testing"
)

func TestListsAreWrittenEitherWay(t *testing.T) {
	for name, text := range map[string]string{
		"a text":     "allowed_hosts: ' a.example ,, b.example '\n",
		"a sequence": "allowed_hosts:\n  - a.example\n  - b.example\n",
		"in one row": "allowed_hosts: [a.example, b.example]\n",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Load(Sources{File: write(t, t.TempDir(), text)})
			if err != nil {
				t.Fatal(err)
			}
			if got := c.AllowedHosts.Values(); !slices.Equal(got, []string{"a.example", "b.example"}) {
				t.Errorf("got %q", got)
			}
		})
	}
	_, err := Load(Sources{File: write(t, t.TempDir(), "allowed_hosts:\n  - {a: b}\n")})
	if _, ok := faultsOf(t, err)["allowed_hosts"]; !ok {
		t.Errorf("a mapping in a list is no fault: %v", err)
	}
}

func TestFaultsOfWhatGuardsHone(t *testing.T) {
	for key, text := range map[string]string{
		"secret":          "secret: 'two words'\n",
		"admin_token":     "admin_token: \"tab\\t\"\n",
		"view_token":      "admin_token: same\nview_token: same\n",
		"admin_listen":    "listen: ':9090'\nadmin_listen: ':9090'\n",
		"tls.key":         "tls:\n  cert: c.pem\n",
		"tls.cert":        "tls:\n  key: k.pem\n",
		"allowed_hosts":   "allowed_hosts: http://hone.example/\n",
		"trusted_proxies": "trusted_proxies: proxy.example\n",
		"insecure":        "insecure: perhaps\n",
	} {
		t.Run(key, func(t *testing.T) {
			_, err := Load(Sources{File: write(t, t.TempDir(), text)})
			if err == nil {
				t.Fatalf("%q is no fault", text)
			}
			if _, ok := faultsOf(t, err)[key]; !ok {
				t.Errorf("%q: %v", text, err)
			}
		})
	}
}
