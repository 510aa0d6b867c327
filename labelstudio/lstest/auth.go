package lstest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

type user struct {
	id            int64
	email, legacy string
	refresh       string // the one live personal access token
}

type access struct {
	user  *user
	until time.Time
}

// AddUser adds a person and returns their legacy token.
func (s *Server) AddUser(email string) (token string) {
	s.locked(func() {
		token = fmt.Sprintf("%040x", len(s.users)+0xabc)
		s.addUser(email, token)
	})
	return token
}

func (s *Server) addUser(email, token string) {
	s.users = append(s.users, &user{id: s.id("user"), email: email, legacy: token})
}

// authed checks the credential as Label Studio does, with its words.
func (s *Server) authed(a action) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		u, why := s.whose(r.Header.Get("Authorization"))
		if u == nil {
			failure(http.StatusUnauthorized, why).write(w)
			return
		}
		a(&request{Request: r, user: u, body: body}).write(w)
	}
}

func (s *Server) whose(header string) (*user, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	scheme, token, _ := strings.Cut(header, " ")
	switch scheme {
	case "Token":
		for _, u := range s.users {
			if u.legacy == token {
				if !s.tokens.LegacyTokens {
					return nil, "Authentication token no longer valid: legacy token authentication has been disabled for this organization"
				}
				return u, ""
			}
		}
		return nil, "Invalid token."
	case "Bearer":
		if a, ok := s.access[token]; ok && s.tokens.PersonalAccessTokens && time.Now().Before(a.until) {
			return a.user, ""
		}
	}
	return nil, "Authentication credentials were not provided."
}

func (s *Server) routes(m *http.ServeMux) {
	m.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { ok(obj{"status": "UP"}).write(w) })
	m.HandleFunc("GET /api/version/", func(w http.ResponseWriter, _ *http.Request) {
		ok(obj{"release": "1.23.2", "edition": "Community"}).write(w)
	})
	m.HandleFunc("GET /api/current-user/whoami", s.act(func(r *request) result {
		return ok(obj{"id": r.user.id, "email": r.user.email, "username": "", "active_organization": 1})
	}))
	m.HandleFunc("GET /api/jwt/settings", s.act(func(*request) result { return ok(s.tokens) }))
	m.HandleFunc("POST /api/jwt/settings", s.act(func(r *request) result {
		if bad := r.read(&s.tokens); bad != nil {
			return *bad
		}
		return ok(s.tokens)
	}))
	m.HandleFunc("POST /api/token/{$}", s.act(s.createToken))
	m.HandleFunc("POST /api/token/refresh/", s.refreshToken)
	m.HandleFunc("POST /api/token/blacklist/", s.act(s.blacklistToken))
	s.projectRoutes(m)
	s.nextRoutes(m)
	s.taskRoutes(m)
	s.annotationRoutes(m)
	s.predictionRoutes(m)
	s.backendRoutes(m)
	s.hookRoutes(m)
}

func (s *Server) createToken(r *request) result {
	if r.user.refresh != "" {
		return failure(http.StatusConflict, "You already have a valid token. Please revoke it before creating a new one.")
	}
	r.user.refresh = fmt.Sprintf("refresh.%d.%d", r.user.id, s.id("refresh"))
	return result{status: http.StatusCreated, body: obj{"token": r.user.refresh}}
}

// refreshToken takes no credential but the token in its body.
func (s *Server) refreshToken(w http.ResponseWriter, r *http.Request) {
	var b struct{ Refresh string }
	if err := json.NewDecoder(r.Body).Decode(&b); err != nil {
		failure(http.StatusBadRequest, "JSON parse error - "+err.Error()).write(w)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.users {
		if u.refresh != "" && u.refresh == b.Refresh && s.tokens.PersonalAccessTokens {
			token := fmt.Sprintf("access.%d.%d", u.id, s.id("access"))
			s.access[token] = access{u, time.Now().Add(s.accessLife)}
			ok(obj{"access": token}).write(w)
			return
		}
	}
	failure(http.StatusUnauthorized, "Token is invalid").write(w)
}

func (s *Server) blacklistToken(r *request) result {
	var b struct{ Refresh string }
	if bad := r.read(&b); bad != nil {
		return *bad
	}
	for _, u := range s.users {
		if u.refresh != "" && u.refresh == b.Refresh {
			u.refresh = ""
			return done()
		}
	}
	return failure(http.StatusNotFound, "Token is invalid, or already expired")
}
