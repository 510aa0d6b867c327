package api

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// DisconnectRequest is the body of POST /api/projects/{id}/disconnect; no body means its
// zero value.
type DisconnectRequest struct {
	// DeletePredictions deletes hone's predictions in Label Studio too.
	DeletePredictions bool `json:"delete_predictions"`
}

func (s *Server) disconnect(c *gin.Context) {
	id, ok := projectID(c)
	if !ok {
		return
	}
	var req DisconnectRequest
	if c.Request.ContentLength != 0 {
		if err := c.ShouldBindJSON(&req); err != nil {
			c.JSON(http.StatusBadRequest, Error{`the body must be {"delete_predictions": true}, or empty`})
			return
		}
	}
	rep, err := s.Connector.Disconnect(c, id, req.DeletePredictions)
	if err != nil {
		writeError(c, err)
		return
	}
	c.JSON(http.StatusOK, rep)
}

func (s *Server) forget(c *gin.Context) {
	id, ok := projectID(c)
	if !ok {
		return
	}
	rep, err := s.Connector.Forget(c, id)
	if err != nil {
		writeError(c, err)
		return
	}
	c.JSON(http.StatusOK, rep)
}
