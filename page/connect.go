package page

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
)

// connectBody leads from nothing to a connected project.
type connectBody struct {
	// LabelStudio is its address; empty before hone knows one. Address is hone's own.
	LabelStudio string
	Address     string
	Offered     []offer
	Fault       string
	Report      *api.Report
	Changer     bool
}

// offer is a project of Label Studio, and whether hone works with it.
type offer struct {
	Offered
	Connected bool
}

func (s *Server) connectForm(c *gin.Context) { s.showConnect(c, http.StatusOK, connectBody{}) }

func (s *Server) showConnect(c *gin.Context, status int, body connectBody) {
	body.LabelStudio, body.Changer = s.o.LabelStudio.URL(), s.o.Admits(c.Request, access.Admin)
	if body.Address == "" {
		body.Address = s.o.Address()
	}
	if body.LabelStudio != "" && body.Changer {
		offered, err := s.o.LabelStudio.Projects(c)
		if err != nil && body.Fault == "" {
			body.Fault = err.Error()
		}
		known := s.frames.get().listing.Projects
		for _, o := range offered {
			connected := slices.ContainsFunc(known, func(p api.Project) bool { return p.ID == o.ID && p.LeftAlone == "" })
			body.Offered = append(body.Offered, offer{o, connected})
		}
	}
	s.render(c, status, "connect", layout{Title: "Connect a project"}, body)
}

// login takes the address and the token of a Label Studio. The token is never shown again.
func (s *Server) login(c *gin.Context) {
	rep, err := s.o.Connector.Login(c, strings.TrimSpace(c.PostForm("url")), secretOf(strings.TrimSpace(c.PostForm("token"))))
	body := connectBody{Report: &rep}
	status := http.StatusOK
	if err != nil {
		body.Fault, status = err.Error(), http.StatusBadRequest
	}
	s.showConnect(c, status, body)
}

// connect registers hone with one project.
func (s *Server) connect(c *gin.Context) {
	id, err := strconv.ParseInt(c.PostForm("project"), 10, 64)
	if err != nil || id <= 0 {
		s.fail(c, http.StatusBadRequest, "A project's number is a positive whole number.")
		return
	}
	at := strings.TrimSpace(c.PostForm("address"))
	var rep api.Report
	if c.PostForm("poll") != "" {
		rep, err = s.o.Connector.ConnectPolled(c, event.ProjectID(id))
	} else {
		rep, err = s.o.Connector.Connect(c, event.ProjectID(id), at)
	}
	s.frames.renew()
	if err == nil && !rep.Failed() {
		back(c, "projects/"+strconv.FormatInt(id, 10))
		return
	}
	body := connectBody{Address: at, Report: &rep}
	if err != nil {
		body.Fault = err.Error()
	}
	s.showConnect(c, http.StatusOK, body)
}

// doctor checks a project when it is asked for.
func (s *Server) doctor(c *gin.Context) {
	id, ok := s.projectID(c)
	if !ok {
		return
	}
	rep, err := s.o.Connector.Doctor(c, id)
	if err != nil {
		s.failWith(c, err)
		return
	}
	s.render(c, http.StatusOK, "doctor", layout{Title: "Doctor", Project: id}, rep)
}
