package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/secret"
	"github.com/hone-ml/hone/labelstudio/wire"
)

// health answers at once, whatever the rest of hone is doing, and signs a
// challenge. Label Studio's own client gets 401 without the secret: only then does
// its page name the cause.
func (s *Server) health(c *gin.Context) {
	if s.o.Home != nil && c.FullPath() == "/" && s.o.Home(c) {
		return
	}
	if fromLabelStudio(c.Request) && !s.o.Gate.Check(c.Request, access.LabelStudio, false).Admitted {
		s.refuseCall(c)
		return
	}
	c.JSON(http.StatusOK, struct {
		wire.Health
		Challenge string `json:"challenge,omitempty"`
	}{
		wire.Health{Status: "UP", ModelClass: "Hone"},
		s.o.Identity.Sign(c.GetHeader(access.ChallengeHeader)),
	})
}

// setup tells hone of a project. Label Studio calls it often, and with two
// seconds and a half to answer.
func (s *Server) setup(c *gin.Context) {
	body, f := readJSON(c, setupBytes)
	if f != nil {
		s.refuse(c, f)
		return
	}
	defer releaseBuffer(body)
	req, err := wire.DecodeSetup(body.Bytes())
	if err != nil {
		s.refuse(c, malformedBody(err))
		return
	}
	if !isTrusted(c) {

		// Label Studio does not take hone for broken, and nothing is made of it.
		if names := s.o.Projects.Versions(req.Project); len(names) > 0 {
			c.JSON(http.StatusOK, wire.SetupResponse{ModelVersion: names[len(names)-1]})
			return
		}
		s.refuseCall(c)
		return
	}
	info := SetupInfo{
		Project:     req.Project,
		CreatedAt:   req.CreatedAt,
		LabelConfig: req.LabelConfig,
		Hostname:    req.Hostname,
		AccessToken: req.AccessToken,
		PageToken:   pageToken(req.ExtraParams),
		BackendURL:  s.backendURL(c.Request),
		Proof:       access.VerdictOf(c).Proof,
		Local:       access.FromLoopback(c.Request),
	}
	reply, err := s.adopt(c.Request.Context(), info)
	log := s.log.WithField("project", info.Project)
	switch {
	case errors.Is(err, ErrUnusable):
		log.Warn("Label Studio adds hone to a project it cannot work with: " + unmarkedText(err))
		s.refuse(c, &refusal{http.StatusBadRequest, refusedProject, unmarkedText(err)})
	case err != nil:
		log.WithError(err).Error("a project could not be set up")
		s.refuse(c, &refusal{http.StatusServiceUnavailable, refusedStorage, "hone could not take the project in; its log says why"})
	default:
		c.JSON(http.StatusOK, wire.SetupResponse{ModelVersion: reply.ModelVersion, Hint: reply.Hint})
	}
}

// pageToken returns the token in the extra parameters of the backend's page, "" if there is
// none. What else they hold is of no use to hone.
func pageToken(extra json.RawMessage) secret.Secret {
	var params struct {
		Token secret.Secret `json:"token"`
	}
	_ = json.Unmarshal(extra, &params)
	return params.Token
}

// unmarkedText returns an error's text without that of ErrUnusable.
func unmarkedText(err error) string {
	text := strings.TrimPrefix(err.Error(), ErrUnusable.Error()+": ")
	return strings.TrimSuffix(text, ": "+ErrUnusable.Error())
}

// adopt calls the Adopter, but does not wait longer than Label Studio would.
func (s *Server) adopt(ctx context.Context, info SetupInfo) (SetupReply, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), setupTimeout)
	defer cancel()
	type answer struct {
		SetupReply
		err error
	}
	done := make(chan answer, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				s.metrics.panics.Inc()
				done <- answer{err: errors.New("setup panicked")}
			}
		}()
		v, err := s.o.Adopter.Setup(ctx, info)
		done <- answer{v, err}
	}()
	select {
	case a := <-done:
		return a.SetupReply, a.err
	case <-ctx.Done():
		return SetupReply{}, ctx.Err()
	}
}

// backendURL returns hone's address as the caller wrote it, or as a trusted proxy says that
// the caller wrote it.
func (s *Server) backendURL(r *http.Request) string {
	scheme, host := "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if from, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		ip := from.Addr().Unmap()
		if slices.ContainsFunc(s.o.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(ip) }) {
			if strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
				scheme = "https"
			}
			if h := r.Header.Get("X-Forwarded-Host"); h != "" && !strings.ContainsAny(h, "/@, ") {
				host = h
			}
		}
	}
	return scheme + "://" + host
}

// train asks for a retrain and does not wait for it.
func (s *Server) train(c *gin.Context) {
	if !isTrusted(c) { // while registrations are being given the secret
		s.refuseCall(c)
		return
	}
	var p event.ProjectID
	if c.Request.ContentLength != 0 {
		body, f := readJSON(c, s.o.MaxPredictBytes) // old Label Studios send every annotation along
		if f != nil {
			s.refuse(c, f)
			return
		}
		defer releaseBuffer(body)
		var err error
		if p, err = wire.DecodeTrain(body.Bytes()); err != nil {
			s.refuse(c, malformedBody(err))
			return
		}
	}
	p, f := s.project(p)
	if f != nil {
		s.refuse(c, f)
		return
	}
	due := &event.RetrainDue{Project: p, At: time.Now().UTC(), Reason: "asked for at /train"}
	if _, err := s.publish(c.Request.Context(), due); err != nil {
		s.refuse(c, &refusal{http.StatusServiceUnavailable, refusedStorage, "hone could not store the request to train; try again once its storage works"})
		return
	}
	c.Data(http.StatusOK, jsonType, okBody)
}

// versions lists the names of versions. Label Studio does not say for which
// project it asks; people may, with ?project=.
func (s *Server) versions(c *gin.Context) {
	projects := s.o.Projects.Projects()
	if q := c.Query("project"); q != "" {
		id, _, _ := strings.Cut(q, ".")
		n, err := strconv.ParseInt(id, 10, 64)
		if err != nil {
			failInStatusLine(c, http.StatusBadRequest, "project must be a number, the project's id in Label Studio")
			return
		}
		p, f := s.project(event.ProjectID(n))
		if f != nil {
			s.refuse(c, f)
			return
		}
		projects = []event.ProjectID{p}
	}
	slices.Sort(projects)
	names := []string{}
	for _, p := range projects {
		for _, v := range s.o.Projects.Versions(p) {
			if !slices.Contains(names, v) {
				names = append(names, v)
			}
		}
	}
	c.JSON(http.StatusOK, wire.Versions{Versions: names})
}

// project finds the project that a call is about; asked is 0 when the call did
// not say.
func (s *Server) project(asked event.ProjectID) (event.ProjectID, *refusal) {
	known := s.o.Projects.Projects()
	unusable := func(status int, sentence string) (event.ProjectID, *refusal) {
		return 0, &refusal{status, refusedProject, sentence}
	}
	id := strconv.FormatInt(int64(asked), 10)
	switch {
	case asked != 0 && slices.Contains(known, asked):
		return asked, nil
	case asked != 0:
		return unusable(http.StatusNotFound, "hone does not know project "+id+": run `hone connect --project "+id+"`")
	case len(known) == 1:
		return known[0], nil
	case len(known) == 0:
		return unusable(http.StatusNotFound, "no project is connected to hone yet: run `hone connect --project ID`")
	}
	slices.Sort(known)
	list := make([]string, 0, len(known))
	for _, p := range known[:min(len(known), 20)] {
		list = append(list, strconv.FormatInt(int64(p), 10))
	}
	return unusable(http.StatusBadRequest, "several projects are connected ("+strings.Join(list, ", ")+`): say which one, as in "project": `+list[0])
}

func malformedBody(err error) *refusal {
	return &refusal{http.StatusBadRequest, refusedMalformed, shortenTo(err.Error(), 300)}
}

// refuse answers a call of the ML-backend protocol.
func (s *Server) refuse(c *gin.Context, f *refusal) {
	s.metrics.refused.WithLabelValues(f.reason).Inc()
	if f.reason == refusedTooLarge || f.reason == refusedCut || f.reason == refusedContentType {
		failInBody(c, f.status, f.sentence) // the body was not read
		return
	}
	failInStatusLine(c, f.status, f.sentence)
}
