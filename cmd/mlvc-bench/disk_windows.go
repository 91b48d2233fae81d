package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// allocated returns the bytes of everything below dir; 0 if it is not there.
// Windows has no cheap word on allocation: these are the files' sizes.
func allocated(dir string) (int64, error) {
	var sum int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		var info fs.FileInfo
		if err == nil {
			info, err = d.Info()
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if info.Mode().IsRegular() {
			sum += info.Size()
		}
		return nil
	})
	return sum, err
}

// free returns the bytes that may still be written where dir is.
func free(dir string) (int64, error) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, err
	}
	var avail uint64
	if err := windows.GetDiskFreeSpaceEx(name, &avail, nil, nil); err != nil {
		return 0, err
	}
	return int64(avail), nil
}

// settle does nothing: Windows has no call for all volumes that a plain user
// may make.
func settle() {}

// maxRSS is not told by Windows' process state.
func maxRSS(*os.ProcessState) int64 { return 0 }
