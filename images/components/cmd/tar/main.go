// tar is as much of tar as carries a volume's content in and out of a pod: "tar -cf - --exclude=./NAME -C FOLDER ." and
// "tar -xf - -C FOLDER". Upstream's image of Prometheus has busybox's.
package main

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	var excluded string
	var arguments []string
	for _, argument := range os.Args[1:] {
		if name, found := strings.CutPrefix(argument, "--exclude=./"); found {
			excluded = name
		} else {
			arguments = append(arguments, argument)
		}
	}
	var err error
	switch line := strings.Join(arguments, " "); {
	case len(arguments) == 5 && strings.HasPrefix(line, "-cf - -C ") && strings.HasSuffix(line, " ."):
		err = create(arguments[3], excluded, os.Stdout)
	case len(arguments) == 4 && strings.HasPrefix(line, "-xf - -C "):
		err = extract(arguments[3], os.Stdin)
	default:
		err = fmt.Errorf("usage: tar -cf - [--exclude=./NAME] -C FOLDER . | tar -xf - -C FOLDER")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tar:", err)
		os.Exit(1)
	}
}

func create(folder, excluded string, to io.Writer) error {
	archive := tar.NewWriter(to)
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if excluded != "" && path == filepath.Join(folder, excluded) {
			return fs.SkipDir
		}
		if err != nil || path == folder || !(entry.IsDir() || entry.Type().IsRegular()) {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		header, err := tar.FileInfoHeader(info, "")
		if err != nil {
			return err
		}
		if header.Name, err = filepath.Rel(folder, path); err != nil {
			return err
		}
		if err := archive.WriteHeader(header); err != nil || entry.IsDir() {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		// As long as it was: what is appended meanwhile is of the next archive.
		_, err = io.CopyN(archive, file, header.Size)
		return err
	})
	if err != nil {
		return err
	}
	return archive.Close()
}

func extract(folder string, from io.Reader) error {
	archive := tar.NewReader(from)
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	for {
		header, err := archive.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		name := filepath.Clean(header.Name)
		switch {
		case name == ".":
		case header.Typeflag == tar.TypeDir:
			if err := root.MkdirAll(name, 0o755); err != nil {
				return err
			}
		case header.Typeflag == tar.TypeReg:
			if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				return err
			}
			file, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, fs.FileMode(header.Mode)&0o777)
			if err != nil {
				return err
			}
			if _, err := io.Copy(file, archive); err != nil {
				return err
			}
			if err := file.Close(); err != nil {
				return err
			}
		}
	}
}
