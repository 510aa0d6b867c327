//go:build e2e

package e2e

import (
	"fmt"
	"strings"
)

// body is what would do most harm at a route.
func (v *victim) body(r route) string {
	if r.method != "POST" {
		return ""
	}
	switch path := strings.TrimSuffix(r.path, "/"); {
	case path == "/webhook":
		return v.forged()["ANNOTATIONS_DELETED"]
	case path == "/setup":
		return v.setup(v.trap.url)
	case path == "/predict":
		return fmt.Sprintf(`{"project": "%d.1", "tasks": [{"id": %d, "data": {"text": "a loan"}}]}`, v.project, v.tasks[0].ID)
	case path == "/train":
		return fmt.Sprintf(`{"project": "%d.1"}`, v.project)
	case strings.HasSuffix(path, "/connect"):
		return fmt.Sprintf(`{"url": %q}`, v.trap.url)
	}
	return `{}`
}

// setup is Label Studio's call that tells a backend of a project.
func (v *victim) setup(hostname string) string {
	return fmt.Sprintf(`{"project": "%d.1795467032", "schema": "<View/>", "hostname": %q, "access_token": "attack", "extra_params": null}`, v.project, hostname)
}

// bad are ways to call a route without the credential it asks for.
func (v *victim) bad(r route, s shot) []shot {
	secret, admin := v.secret(), v.admin()
	ls := !strings.HasPrefix(r.path, "/api") && !strings.HasPrefix(r.path, "/ui") && r.path != "/metrics"
	out := []shot{
		s,
		s.with(basicHeader("hone", "wrong")),
		s.with(basicHeader("hone", "")),
		s.with(basicHeader("", secret)),
		s.with(basicHeader("", "")),
		s.with(basicHeader("admin", secret)),
		s.with(basicHeader("hone", secret+" ")),
		s.with(basicHeader("hone", strings.Repeat("x", 32<<10))),
		s.with(basicHeader("hone", admin)),
		s.with([2]string{"Authorization", "Basic hone:" + secret}), // not encoded
		s.with([2]string{"Authorization", secret}),
		s.with(bearer("wrong")),
		s.with(bearer("")),
		s.with(bearer(secret)),
		s.with(bearer(v.file("identity"))),
		s.with([2]string{"Authorization", "Token " + admin}),
		s.with(bearer("wrong"), bearer(admin)),
		s.with([2]string{"Cookie", "token=" + admin + "; sessionid=" + secret}),
		s.with([2]string{"Cookie", "hone_session=" + admin}),
		s.with([2]string{"Cookie", "hone_session=admin.99999999999.00000000000000000000000000000000." + strings.Repeat("A", 43)}),
		s.with([2]string{"X-Hone-Secret", "wrong"}),
		s.with([2]string{"X-Hone-Secret", ""}),
		s.with([2]string{"X-Hone-Secret", admin}),
		s.with([2]string{"X-Hone-Challenge", strings.Repeat("0", 32)}),
		// As if from this machine, or from Label Studio.
		s.with([2]string{"Host", "localhost"}),
		s.with([2]string{"Host", v.addr}),
		s.with([2]string{"Host", strings.TrimPrefix(v.trap.url, "http://")}),
		s.with([2]string{"X-Forwarded-For", "127.0.0.1"}),
		s.with([2]string{"X-Real-Ip", "127.0.0.1"}),
		s.with([2]string{"Forwarded", "for=127.0.0.1;host=localhost"}),
		s.with([2]string{"X-Forwarded-Host", "localhost"}, [2]string{"Host", "localhost"}),
		s.with([2]string{"Host", "localhost"}, [2]string{"Origin", "http://localhost"}, [2]string{"Sec-Fetch-Site", "same-origin"}),
		s.with([2]string{"User-Agent", "heartex/1.23.2"}),
		s.with([2]string{"X-Original-Url", "/health"}, [2]string{"X-Rewrite-Url", "/health"}),
		s.with([2]string{"X-Http-Method-Override", "GET"}),
		s.with([2]string{"X-Http-Method-Override", "HEAD"}, [2]string{"X-Method-Override", "HEAD"}),
	}
	if admin != "" {
		asked := s
		asked.Target += "?token=" + admin + "&access_token=" + admin + "&secret=" + secret
		out = append(out, asked)
	}
	if !ls && secret != "" {
		// What Label Studio shows to each of its users opens nothing of these.
		out = append(out, s.with(basicHeader("hone", secret)), s.with([2]string{"X-Hone-Secret", secret}))
	}
	if ls && secret != "" && strings.TrimSuffix(r.path, "/") != "/webhook" {
		out = append(out, s.with([2]string{"X-Hone-Secret", secret}))
	}
	return out
}

// tricks are other spellings of a route, and other methods.
func tricks(s shot) (out []shot) {
	say := func(method, target string) {
		o := s
		o.Method, o.Target = method, target
		out = append(out, o)
	}
	p := s.Target
	escaped := fmt.Sprintf("/%%%02x%s", p[1], p[2:])
	for _, target := range []string{
		"/" + p, "//" + p, "/." + p, "/health/.." + p, "/health/../." + p, "/health/%2e%2e" + p, "/health%2f.." + p, "/%2e" + p, "/..;" + p,
		"/health;" + p, "/health/" + p, "/healthz" + p, "/api/.." + p, "/%2f" + p[1:], p + "/", p + "//", p + "/.", p + "/%2e", p + "%2f", p + "%00", p + "%20", p + ";a=b",
		p + ".json", p + "?", p + "?/health", p + "/../health", p + "/..", strings.ToUpper(p), strings.ToTitle(p[:2]) + p[2:], escaped, "/%252e" + p,
		`\` + p[1:], p[1:], "http://localhost" + p, "http://hone:x@localhost" + p, "https://localhost:9090" + p, "?" + p, "#" + p,
	} {
		say(s.Method, target)
	}
	for _, method := range []string{
		"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND", "POST", "get", "post", "X", "GET\t",
	} {
		if method != s.Method {
			say(method, p)
		}
	}
	return out
}
