package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// machine names where a run was measured.
type machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Memory int64  `json:"memory"` // bytes; 0 if unknown
	Kernel string `json:"kernel"`
	FS     string `json:"fs"`
	Disk   string `json:"disk"`
	Load   string `json:"load"` // averages before the run
	Go     string `json:"go"`
}

// thisMachine asks the system; what it does not say stays "unknown".
func thisMachine(dir string) machine {
	m := machine{
		CPU:    firstLine("/proc/cpuinfo", "model name"),
		Cores:  runtime.NumCPU(),
		Memory: memInfo("MemTotal:"),
		Kernel: runtime.GOOS + " " + readWord("/proc/sys/kernel/osrelease"),
		Load:   readWord("/proc/loadavg"),
		Go:     runtime.Version(),
	}
	m.FS, m.Disk = mountOf(dir)
	return m
}

func (m machine) String() string {
	return fmt.Sprintf("%s, %d cores, %s memory, %s, %s on %s, load %s before", m.CPU, m.Cores, formatBytes(float64(m.Memory)), m.Kernel, m.FS, m.Disk, m.Load)
}

// readWord returns the first word of a small file, or "unknown".
func readWord(name string) string {
	text, err := os.ReadFile(name)
	if err != nil {
		return "unknown"
	}
	if fields := strings.Fields(string(text)); len(fields) > 0 {
		return fields[0]
	}
	return "unknown"
}

// firstLine returns the value of the first "key : value" line, or "unknown".
func firstLine(name, key string) string {
	text, err := os.ReadFile(name)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(text)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return "unknown"
}

// memInfo returns a line of /proc/meminfo in bytes, or 0.
func memInfo(name string) int64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	return kibField(string(text), name)
}

// mountOf returns the type and the source of the file system that dir is on.
func mountOf(dir string) (fs, disk string) {
	text, err := os.ReadFile("/proc/self/mounts")
	abs, absErr := filepath.Abs(dir)
	if err != nil || absErr != nil {
		return "unknown", "unknown"
	}
	return longestMount(string(text), abs)
}

// longestMount finds, in the text of /proc/mounts, the deepest mount point
// above dir; of two at one place the later.
func longestMount(mounts, dir string) (fs, disk string) {
	fs, disk = "unknown", "unknown"
	longest := 0
	for line := range strings.Lines(mounts) {
		f := strings.Fields(line)
		if len(f) < 3 {
			continue
		}
		at := strings.TrimSuffix(f[1], "/")
		if len(at)+1 >= longest && strings.HasPrefix(dir+"/", at+"/") {
			fs, disk, longest = f[2], f[0], len(at)+1
		}
	}
	return fs, disk
}
