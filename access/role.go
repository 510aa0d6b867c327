package access

import (
	"net/http"
	"strings"
)

// Role is what a caller must be to be let in; each includes those before it, but
// that View includes nothing that is Label Studio's.
type Role int

// The roles.
const (
	Public Role = iota
	LabelStudio
	View
	Admin
)

// publicRoutes are the routes that anybody may call. This is the only list of them: a
// test calls every other route of the router without a credential.
var publicRoutes = map[string]bool{
	http.MethodGet + " /":        true, // that a hone is here; containers' health checks
	http.MethodHead + " /":       true,
	http.MethodGet + " /health":  true, // the same; also answers the challenge of [Identity]
	http.MethodHead + " /health": true,
	http.MethodGet + " /healthz": true, // the process is alive
	http.MethodGet + " /readyz":  true, // the models are loaded
	// Hone's page: how it looks, and where people prove who they are.
	http.MethodGet + " /ui/assets/:name": true,
	http.MethodGet + " /ui/sign-in":      true,
	http.MethodPost + " /ui/sign-in":     true,
}

// labelStudioRoutes are the routes that Label Studio calls.
var labelStudioRoutes = map[string]bool{
	http.MethodPost + " /webhook": true,
	http.MethodPost + " /setup":   true,
	http.MethodPost + " /predict": true,
	http.MethodPost + " /train":   true,
	http.MethodGet + " /versions": true,
}

// backupRoute is a route that reads, yet gives everything away.
const backupRoute = "/api/backup"

// signOutRoute changes nothing but the caller's own session.
const signOutRoute = "POST /ui/sign-out"

// isPage reports whether a route is one of hone's page, where a session counts too.
func isPage(route string) bool { return route == "/ui" || strings.HasPrefix(route, "/ui/") }

// RoleOf is the role that a route asks for, route being the pattern it was
// registered with. A route that nobody has thought of asks for the most.
func RoleOf(method, route string) Role {
	if len(route) > 1 {
		route = strings.TrimSuffix(route, "/")
	}
	key := method + " " + route
	switch {
	case publicRoutes[key]:
		return Public
	case labelStudioRoutes[key]:
		return LabelStudio
	case key == signOutRoute:
		return View
	case method != http.MethodGet && method != http.MethodHead, route == backupRoute:
		return Admin
	case route == "/metrics", strings.HasPrefix(route, "/api/"), isPage(route):
		return View
	}
	return Admin
}
