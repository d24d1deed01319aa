/* What the service manager hands over in files of its own, LoadCredential= (systemd.exec(5)).
 */
#ifndef LBNODE_BASE_CREDENTIAL_H
#define LBNODE_BASE_CREDENTIAL_H

/* The file NAME in $CREDENTIALS_DIRECTORY. A descriptor, above 0; 0 when there is none; -errno.
 */
int credential_open(const char *name);

#endif
