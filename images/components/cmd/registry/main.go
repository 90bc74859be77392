// Command registry is the registry of CNCF's Distribution with files as its storage, and an access of its own: everybody
// reads, and who writes shows the login that a file holds.
package main

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/distribution/distribution/v3/registry"
	"github.com/distribution/distribution/v3/registry/auth"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
)

// login is the access controller. Its file is one that buildah, podman and docker take their logins from
// (containers-auth.json); any login in it may write. It is read at each request, so that another login holds at once.
type login struct {
	path string
}

// Authorized lets everybody pull, and list what there is. All else needs a login: to push, to delete, and what asks for
// no access to a repository, as a client's first request, which learns by that of the login.
func (l login) Authorized(request *http.Request, access ...auth.Access) (*auth.Grant, error) {
	if reads(access) {
		return &auth.Grant{}, nil
	}
	kept, err := l.read()
	if err != nil {
		return nil, err
	}
	shown := []byte(request.Header.Get("Authorization"))
	for _, each := range kept {
		if each.Auth != "" && subtle.ConstantTimeCompare(shown, []byte("Basic "+each.Auth)) == 1 {
			return &auth.Grant{}, nil
		}
	}
	return nil, challenge{auth.ErrAuthenticationFailure}
}

func reads(access []auth.Access) bool {
	for _, each := range access {
		list := each.Type == "registry" && each.Name == "catalog"
		if each.Action != "pull" && !list {
			return false
		}
	}
	return len(access) > 0
}

type entry struct {
	Auth string `json:"auth"`
}

func (l login) read() (map[string]entry, error) {
	content, err := os.ReadFile(l.path)
	if err != nil {
		return nil, err
	}
	var file struct {
		Auths map[string]entry `json:"auths"`
	}
	if err := json.Unmarshal(content, &file); err != nil {
		// What is in the file stays out of the log.
		return nil, fmt.Errorf("%s is no file of logins", l.path)
	}
	return file.Auths, nil
}

// challenge tells a client to log in.
type challenge struct{ error }

func (challenge) SetHeaders(_ *http.Request, writer http.ResponseWriter) {
	writer.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
}

func main() {
	// Distribution sends traces to a collector of this machine's, unless told not to.
	os.Setenv("OTEL_TRACES_EXPORTER", "none")
	err := auth.Register("login", func(options map[string]any) (auth.AccessController, error) {
		path, _ := options["path"].(string)
		if path == "" {
			return nil, errors.New("auth.login has no path: expected that of a file of logins")
		}
		return login{path}, nil
	})
	if err == nil {
		err = registry.RootCmd.Execute()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
