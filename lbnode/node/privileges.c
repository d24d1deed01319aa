#include "lbnode/node/privileges.h"

#include "lbnode/base/bytes.h"

#include <cap-ng.h>
#include <errno.h>
#include <fts.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    KEPT_MAXIMUM = 10
};

/* What each process keeps. */
static const struct {
    int capabilities[KEPT_MAXIMUM];
    size_t count;
    bool changes_user; /* parses bytes from strangers or holds keys: own account, no new rights
                        */
} kept[PROCESS_ROLE_COUNT] = {
    [PROCESS_SUPERVISOR] = {{CAP_NET_ADMIN, CAP_NET_RAW, CAP_NET_BIND_SERVICE, CAP_SYS_NICE,
                             CAP_IPC_LOCK, CAP_SETUID, CAP_SETGID, CAP_SETPCAP, CAP_KILL},
                            9,
                            false},
    [PROCESS_VRRP] = {{CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_NICE, CAP_IPC_LOCK}, 4, false},
    [PROCESS_CONTROL] = {{0}, 0, true},
    [PROCESS_HEALTH] = {{0}, 0, true},
    [PROCESS_PROXY] = {{0}, 0, true},
};

bool privileges_find_user(const char *name, struct privileges_user *out, struct error *error)
{
    *out = (struct privileges_user){.found = false};
    if (geteuid() != 0)
        return true;
    errno = 0;
    const struct passwd *account = getpwnam(name[0] ? name : "lbnode");
    if (!account && name[0])
        return error_set(error, ERROR_USAGE, "Setting user: there is no account '%s'.", name);
    if (account && account->pw_uid != 0)
        *out = (struct privileges_user){true, account->pw_uid, account->pw_gid};
    return true;
}

bool privileges_can_manage_addresses(void)
{
    return capng_get_caps_process() == 0 &&
           capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN) &&
           capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_RAW);
}

static bool has(int capability)
{
    return capng_have_capability(CAPNG_EFFECTIVE, (unsigned)capability);
}

/* Selects what ROLE keeps of what this process has. */
static void select_kept(enum process_role role)
{
    bool had[KEPT_MAXIMUM];
    for (size_t i = 0; i < kept[role].count; i++)
        had[i] = has(kept[role].capabilities[i]);
    capng_clear(CAPNG_SELECT_ALL);
    for (size_t i = 0; i < kept[role].count; i++) {
        if (had[i])
            capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET,
                         (unsigned)kept[role].capabilities[i]);
    }
}

/* A limit of 0 does not stop a core that is piped into a program (core(5)), and being dumpable
 * comes back where an account changes: both. */
void privileges_hide_memory(void)
{
    const struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
#ifndef __SANITIZE_ADDRESS__ /* whose search for leaks, at the end, traces the process */
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

int privileges_drop(enum process_role role, const struct privileges_user *user)
{
    if (capng_get_caps_process() != 0)
        return -EPERM;
    bool may_bound = has(CAP_SETPCAP);
    bool change = kept[role].changes_user && user->found && has(CAP_SETUID) && has(CAP_SETGID);
    select_kept(role);
    if (may_bound && capng_apply(CAPNG_SELECT_BOUNDS) != 0)
        return -EPERM;
    if (change) {
        if (setgroups(0, NULL) != 0 || setresgid(user->gid, user->gid, user->gid) != 0 ||
            setresuid(user->uid, user->uid, user->uid) != 0)
            return errno ? -errno : -EPERM;
    }
    if (capng_apply(CAPNG_SELECT_CAPS) != 0)
        return -EPERM;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -errno;
    if (role != PROCESS_SUPERVISOR && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return -errno;
    return 0;
}

int privileges_keep_kill(void)
{
    capng_get_caps_process();
    bool had = capng_have_capability(CAPNG_PERMITTED, CAP_KILL);
    capng_clear(CAPNG_SELECT_CAPS);
    if (had)
        capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_KILL);
    if (capng_apply(CAPNG_SELECT_CAPS) != 0)
        return -EPERM;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ? -errno : 0;
}

/* mkdir -p; directories above are readable for everybody, the last one has MODE. */
static int make_directories(const char *directory, mode_t mode)
{
    char path[512];
    if (snprintf(path, sizeof(path), "%s", directory) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0755) != 0 && errno != EEXIST)
            return -errno;
        *slash = '/';
    }
    if (mkdir(path, mode) != 0 && errno != EEXIST)
        return -errno;
    struct stat status;
    if (stat(path, &status) != 0)
        return -errno;
    return S_ISDIR(status.st_mode) ? 0 : -ENOTDIR;
}

static bool cannot_make(const char *directory, int rv, struct error *error)
{
    return error_set(error, ERROR_REFUSED, "Cannot make the directory %s: %s.", directory,
                     strerror(-rv));
}

/* Files of an earlier run as another user. */
static int give_tree(const char *directory, const struct privileges_user *user)
{
    char path[512];
    snprintf(path, sizeof(path), "%s", directory);
    char *roots[] = {path, NULL};
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
    int rv = walk ? 0 : -errno;
    for (FTSENT *entry = NULL; walk && (entry = fts_read(walk));) {
        if (entry->fts_info != FTS_DP && lchown(entry->fts_path, user->uid, user->gid) != 0)
            rv = -errno;
    }
    if (walk)
        fts_close(walk);
    return rv;
}

bool privileges_prepare_state_dir(const char *directory,
                                  const struct privileges_user *user,
                                  struct error *error)
{
    int rv = make_directories(directory, 0700);
    if (rv == 0 && geteuid() == 0) {
        struct privileges_user owner = *user;
        if (!owner.found)
            owner = (struct privileges_user){true, 0, 0};
        rv = give_tree(directory, &owner);
        if (rv == 0 && chmod(directory, 0700) != 0)
            rv = -errno;
    }
    if (rv == 0 && access(directory, R_OK | W_OK | X_OK) != 0)
        rv = -errno;
    return rv == 0 || cannot_make(directory, rv, error);
}

bool privileges_prepare_run_dir(const char *directory,
                                const struct privileges_user *user,
                                struct error *error)
{
    int rv = make_directories(directory, 0755);
    if (rv == 0 && geteuid() == 0 &&
        (chown(directory, 0, user->found ? user->gid : 0) != 0 ||
         chmod(directory, user->found ? 01775 : 0755) != 0))
        rv = -errno;
    if (rv == 0 && access(directory, R_OK | W_OK | X_OK) != 0)
        rv = -errno;
    return rv == 0 || cannot_make(directory, rv, error);
}
