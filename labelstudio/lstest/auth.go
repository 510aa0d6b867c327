package lstest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

type account struct {
	id            int64
	email, legacy string
	refresh       string // the one live personal access token
}

type accessToken struct {
	user  *account
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
	s.users = append(s.users, &account{id: s.nextRowID("user"), email: email, legacy: token})
}

// withAccount checks the credential as Label Studio does and answers with its messages.
func (s *Server) withAccount(a apiAction) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		u, why := s.accountOf(r.Header.Get("Authorization"))
		if u == nil {
			failureResult(http.StatusUnauthorized, why).writeTo(w)
			return
		}
		a(&apiRequest{Request: r, user: u, body: body}).writeTo(w)
	}
}

func (s *Server) accountOf(header string) (*account, string) {
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
	m.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { okResult(jsonObject{"status": "UP"}).writeTo(w) })
	m.HandleFunc("GET /api/version/", func(w http.ResponseWriter, _ *http.Request) {
		okResult(jsonObject{"release": "1.23.2", "edition": "Community"}).writeTo(w)
	})
	m.HandleFunc("GET /api/current-user/whoami", s.runAction(func(r *apiRequest) apiResult {
		return okResult(jsonObject{"id": r.user.id, "email": r.user.email, "username": "", "active_organization": 1})
	}))
	m.HandleFunc("GET /api/jwt/settings", s.runAction(func(*apiRequest) apiResult { return okResult(s.tokens) }))
	m.HandleFunc("POST /api/jwt/settings", s.runAction(func(r *apiRequest) apiResult {
		if bad := r.decodeBody(&s.tokens); bad != nil {
			return *bad
		}
		return okResult(s.tokens)
	}))
	m.HandleFunc("POST /api/token/{$}", s.runAction(s.createToken))
	m.HandleFunc("POST /api/token/refresh/", s.refreshToken)
	m.HandleFunc("POST /api/token/blacklist/", s.runAction(s.blacklistToken))
	s.projectRoutes(m)
	s.nextRoutes(m)
	s.taskRoutes(m)
	s.annotationRoutes(m)
	s.predictionRoutes(m)
	s.backendRoutes(m)
	s.hookRoutes(m)
}

func (s *Server) createToken(r *apiRequest) apiResult {
	if r.user.refresh != "" {
		return failureResult(http.StatusConflict, "You already have a valid token. Please revoke it before creating a new one.")
	}
	r.user.refresh = fmt.Sprintf("refresh.%d.%d", r.user.id, s.nextRowID("refresh"))
	return apiResult{status: http.StatusCreated, body: jsonObject{"token": r.user.refresh}}
}

// refreshToken takes no credential but the token in its body.
func (s *Server) refreshToken(w http.ResponseWriter, r *http.Request) {
	var b struct{ Refresh string }
	if err := json.NewDecoder(r.Body).Decode(&b); err != nil {
		failureResult(http.StatusBadRequest, "JSON parse error - "+err.Error()).writeTo(w)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.users {
		if u.refresh != "" && u.refresh == b.Refresh && s.tokens.PersonalAccessTokens {
			token := fmt.Sprintf("access.%d.%d", u.id, s.nextRowID("access"))
			s.access[token] = accessToken{u, time.Now().Add(s.accessLife)}
			okResult(jsonObject{"access": token}).writeTo(w)
			return
		}
	}
	failureResult(http.StatusUnauthorized, "Token is invalid").writeTo(w)
}

func (s *Server) blacklistToken(r *apiRequest) apiResult {
	var b struct{ Refresh string }
	if bad := r.decodeBody(&b); bad != nil {
		return *bad
	}
	for _, u := range s.users {
		if u.refresh != "" && u.refresh == b.Refresh {
			u.refresh = ""
			return noContent()
		}
	}
	return failureResult(http.StatusNotFound, "Token is invalid, or already expired")
}
