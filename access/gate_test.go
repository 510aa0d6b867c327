package access

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"pgregory.net/rapid"
)

var (
	everywhere = &net.TCPAddr{IP: net.IPv4zero, Port: 9090}
	loopback   = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9090}
)

func open(t testing.TB, o Options) *Keys {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	o.HookHeader = "X-Hone-Secret"
	k, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// request is one to hone at 127.0.0.1, with headers in pairs.
func request(headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:9090/x", http.NoBody)
	r.RemoteAddr = "127.0.0.1:4711"
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func basic(user, password string) string {
	r := request()
	r.SetBasicAuth(user, password)
	return r.Header.Get("Authorization")
}

func TestOpennessFollowsTheAddress(t *testing.T) {
	none := Options{}
	for _, tc := range []struct {
		name     string
		addr     net.Addr
		keys     Options
		insecure bool
		ls, api  bool // admitted without a credential
	}{
		{"every interface", everywhere, none, false, false, false},
		{"another address", &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}, none, false, false, false},
		{"every interface of IPv6", &net.TCPAddr{IP: net.IPv6unspecified}, none, false, false, false},
		{"not an address", nil, none, false, false, false},
		{"loopback", loopback, none, false, true, true},
		{"another loopback address", &net.TCPAddr{IP: net.IPv4(127, 9, 9, 9)}, none, false, true, true},
		{"loopback of IPv6", &net.TCPAddr{IP: net.IPv6loopback}, none, false, true, true},
		{"loopback, IPv4 in IPv6", &net.TCPAddr{IP: net.ParseIP("::ffff:127.0.0.1")}, none, false, true, true},
		{"loopback with a secret", loopback, Options{Secret: "s"}, false, false, true},
		{"loopback with webhook.secret", loopback, Options{HookSecret: "s"}, false, false, true},
		{"loopback with BASIC_AUTH", loopback, Options{Basic: Pair{"u", "p"}}, false, false, false},
		{"loopback with a token", loopback, Options{AdminToken: "t"}, false, true, false},
		{"loopback with a view token", loopback, Options{ViewToken: "t"}, false, true, false},
		{"insecure", everywhere, Options{Secret: "s", AdminToken: "t"}, true, true, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := NewGate(open(t, tc.keys), GateOptions{Addr: tc.addr, Insecure: tc.insecure})
			for role, want := range map[Role]bool{Public: true, LabelStudio: tc.ls, View: tc.api, Admin: tc.api} {
				if got := g.Check(request(), role, true); got.Admitted != want {
					t.Errorf("role %d: %+v", role, got)
				}
			}
		})
	}
}

// On this machine a proxy and a web page are somebody else than its user.
func TestWhoIsThisMachinesUser(t *testing.T) {
	k := open(t, Options{})
	g := NewGate(k, GateOptions{Addr: loopback, AllowedHosts: []string{"Hone.Example", "other.example:80"}})
	for _, tc := range []struct {
		headers []string
		want    bool
	}{
		{nil, true},
		{[]string{"Host", "localhost:9090"}, true},
		{[]string{"Host", "LOCALHOST"}, true},
		{[]string{"Host", "localhost.:9090"}, true},
		{[]string{"Host", "127.0.0.2:9090"}, true},
		{[]string{"Host", "[::1]:9090"}, true},
		{[]string{"Host", "[::1]"}, true},
		{[]string{"Host", "hone.example:9090"}, true},
		{[]string{"Host", "other.example"}, true},
		{[]string{"Host", "127.0.0.1:9090", "Origin", "http://127.0.0.1:9090"}, true},
		{[]string{"Sec-Fetch-Site", "same-origin"}, true},
		{[]string{"Sec-Fetch-Site", "none"}, true},

		{[]string{"Host", "attacker.example:9090"}, false}, // DNS rebinding
		{[]string{"Host", "127.0.0.1.attacker.example"}, false},
		{[]string{"Host", "localhost.attacker.example"}, false},
		{[]string{"Host", "attacker.example@127.0.0.1"}, false},
		{[]string{"Host", "0x7f000001"}, false},
		{[]string{"Host", "192.0.2.1:9090"}, false},
		{[]string{"Host", ""}, false},
		{[]string{"Origin", "http://attacker.example"}, false},
		{[]string{"Origin", "null"}, false},
		{[]string{"Origin", ""}, false},
		{[]string{"Origin", "http://127.0.0.1:9091"}, false}, // another port is another site
		{[]string{"Origin", "http://127.0.0.1:9090", "Origin", "http://attacker.example"}, false},
		{[]string{"Sec-Fetch-Site", "cross-site"}, false},
		{[]string{"Sec-Fetch-Site", "same-site"}, false},
		{[]string{"X-Forwarded-For", "127.0.0.1"}, false},
		{[]string{"X-Forwarded-Host", "localhost"}, false},
		{[]string{"X-Forwarded-Proto", "http"}, false},
		{[]string{"X-Forwarded-Anything", "x"}, false},
		{[]string{"Forwarded", "for=127.0.0.1"}, false},
		{[]string{"Via", "1.1 proxy"}, false},
		{[]string{"X-Real-IP", "127.0.0.1"}, false},
		{[]string{"CF-Connecting-IP", "127.0.0.1"}, false},
		{[]string{"X-Forwarded-For", ""}, false},
	} {
		for _, role := range []Role{LabelStudio, View, Admin} {
			if got := g.Check(request(tc.headers...), role, false); got.Admitted != tc.want {
				t.Errorf("%q, role %d: %+v", tc.headers, role, got)
			}
		}
		with := g.Check(request(append(tc.headers, "Authorization", basic(User, k.secret))...), LabelStudio, false)
		if !with.Admitted || !with.Trusted || with.Proof != Proven {
			t.Errorf("%q with the secret: %+v", tc.headers, with)
		}
	}
}

func TestWhatOpensWhat(t *testing.T) {
	k := open(t, Options{AdminToken: "the-admin-token", ViewToken: "the-view-token", HookSecret: "the-hook-secret", Basic: Pair{"ls", "pw"}})
	g := NewGate(k, GateOptions{Addr: everywhere})
	for _, tc := range []struct {
		name                  string
		headers               []string
		hook, call, view, adm bool
	}{
		{"nothing", nil, false, false, false, false},
		{"the secret", []string{"Authorization", basic(User, k.secret)}, true, true, false, false},
		{"the hook's secret", []string{"Authorization", basic(User, "the-hook-secret")}, true, true, false, false},
		{"BASIC_AUTH", []string{"Authorization", basic("ls", "pw")}, true, true, false, false},
		{"users mixed up", []string{"Authorization", basic("ls", k.secret)}, false, false, false, false},
		{"no password", []string{"Authorization", basic(User, "")}, false, false, false, false},
		{"no user", []string{"Authorization", basic("", "")}, false, false, false, false},
		{"the header", []string{"X-Hone-Secret", k.secret}, true, false, false, false},
		{"the hook's header", []string{"X-Hone-Secret", "the-hook-secret"}, true, false, false, false},
		{"the user's password as header", []string{"X-Hone-Secret", "pw"}, false, false, false, false},
		{"an empty header", []string{"X-Hone-Secret", ""}, false, false, false, false},
		{"the admin token", []string{"Authorization", "Bearer the-admin-token"}, true, true, true, true},
		{"in small letters", []string{"Authorization", "bearer the-admin-token"}, true, true, true, true},
		{"the view token", []string{"Authorization", "Bearer the-view-token"}, false, false, true, false},
		{"the secret as token", []string{"Authorization", "Bearer " + k.secret}, false, false, false, false},
		{"the token as password", []string{"Authorization", basic(User, "the-admin-token")}, false, false, false, false},
		{"an empty token", []string{"Authorization", "Bearer "}, false, false, false, false},
		{"half a token", []string{"Authorization", "Bearer the-admin"}, false, false, false, false},
		{"the identity as token", []string{"Authorization", "Bearer " + string(k.identity.key)}, false, false, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := request(tc.headers...)
			got := [4]bool{
				g.Check(r, LabelStudio, true).Admitted, g.Check(r, LabelStudio, false).Admitted,
				g.Check(r, View, false).Admitted, g.Check(r, Admin, false).Admitted,
			}
			if want := [4]bool{tc.hook, tc.call, tc.view, tc.adm}; got != want {
				t.Errorf("webhook, call, view, admin: %v, want %v", got, want)
			}
		})
	}
}

func TestNoViewTokenIsNoEmptyViewToken(t *testing.T) {
	g := NewGate(open(t, Options{}), GateOptions{Addr: everywhere})
	for _, a := range []string{"Bearer ", "Bearer  ", "Bearer", ""} {
		if v := g.Check(request("Authorization", a), View, false); v.Admitted {
			t.Errorf("%q: %+v", a, v)
		}
	}
}

// While registrations are upgraded, Label Studio's calls are let in and not
// believed; nothing else is.
func TestUpgrading(t *testing.T) {
	upgrading := true
	g := NewGate(open(t, Options{}), GateOptions{Addr: everywhere, Upgrading: func() bool { return upgrading }})
	if v := g.Check(request(), LabelStudio, true); !v.Admitted || v.Trusted {
		t.Errorf("%+v", v)
	}
	if v := g.Check(request(), View, false); v.Admitted {
		t.Errorf("%+v", v)
	}
	upgrading = false
	if v := g.Check(request(), LabelStudio, true); v.Admitted {
		t.Errorf("%+v", v)
	}
}

// Whatever a request holds, where others reach hone only a credential lets it in.
func TestNothingButACredentialLetsIn(t *testing.T) {
	k := open(t, Options{ViewToken: "the-view-token"})
	g := NewGate(k, GateOptions{Addr: everywhere, AllowedHosts: []string{"localhost"}})
	names := append([]string{"Authorization", "X-Hone-Secret", "Origin", "Host", "Sec-Fetch-Site", "X-Forwarded-For", "Cookie", "Proxy-Authorization"}, forwardingHeaders...)
	right := []string{basic(User, k.secret), "Bearer " + k.o.AdminToken, "Bearer the-view-token", k.secret}
	rapid.Check(t, func(t *rapid.T) {
		var headers []string
		credential := false
		for range rapid.IntRange(0, 4).Draw(t, "headers") {
			name := rapid.SampledFrom(names).Draw(t, "name")
			value := rapid.OneOf(rapid.SampledFrom(right), rapid.String(), rapid.SampledFrom([]string{
				"localhost", "127.0.0.1", "Basic", "Basic Og==", "Bearer", "Bearer null", "Basic aG9uZTo=", "Negotiate x",
			})).Draw(t, "value")
			for _, r := range right {
				credential = credential || value == r && (name == "Authorization" || name == "X-Hone-Secret")
			}
			headers = append(headers, name, value)
		}
		r := request(headers...)
		for _, role := range []Role{LabelStudio, View, Admin} {
			if v := g.Check(r, role, true); v.Admitted && !credential {
				t.Fatalf("%q, role %d: %+v", headers, role, v)
			}
		}
	})
}
