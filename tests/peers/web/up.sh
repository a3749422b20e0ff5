#!/usr/bin/env bash
# A web site to publish to: nginx with WebDAV, over HTTP and HTTPS. Installs nginx, its WebDAV module and openssl where
# they are missing.
#   /dav/    PUT, MKCOL, MOVE, DELETE for `sender`     /plain/  the same folder, which takes nothing but PUT
#   /small/  takes no more than 1 kB                   /busy/   answers 503 and when to come back
peer=web
. "$(dirname "$0")/../lib.sh"

[ "$(id -u)" = 0 ] || die "nginx gives up root's rights for its workers: run this as root"
need /usr/sbin/nginx nginx
need /usr/lib/nginx/modules/ngx_http_dav_ext_module.so libnginx-mod-http-dav-ext
need /usr/bin/openssl openssl
plain=$(port plain) tls=$(port tls)
site=$state/site own=$state/own
mkdir -p "$site/files/readonly" "$own/tmp"
chown www-data "$site/files" "$own/tmp"
[ -s "$own/cert.pem" ] || certificate "$own"
echo "sender:$(openssl passwd -apr1 's3cret/+')" >"$own/htpasswd"
cat >"$own/nginx.conf" <<END
load_module /usr/lib/nginx/modules/ngx_http_dav_ext_module.so;
user www-data;
worker_processes 1;
daemon off;
pid $own/pid;
error_log $state/error.log;
events { worker_connections 512; }
http {
  access_log $state/access.log;
  client_max_body_size 100m;
  client_body_temp_path $own/tmp; proxy_temp_path $own/tmp; fastcgi_temp_path $own/tmp; uwsgi_temp_path $own/tmp;
  scgi_temp_path $own/tmp;
  server {
    listen 127.0.0.1:$plain;
    listen 127.0.0.1:$tls ssl;
    ssl_certificate $own/cert.pem;
    ssl_certificate_key $own/key.pem;
    auth_basic files;
    auth_basic_user_file $own/htpasswd;
    location /dav/ {
      alias $site/files/;
      dav_methods PUT DELETE MKCOL MOVE;
      dav_ext_methods PROPFIND OPTIONS;
      dav_access user:rw group:r all:r;
    }
    location /plain/ { alias $site/files/; dav_methods PUT; create_full_put_path on; dav_access all:r; }
    location /small/ { alias $site/files/; client_max_body_size 1k; dav_methods PUT DELETE MOVE; }
    location /busy/ { add_header Retry-After 7 always; return 503; }
  }
}
END
if ! running; then
  setsid /usr/sbin/nginx -e "$state/error.log" -p "$state" -c "$own/nginx.conf" >>"$state/nginx.log" 2>&1 </dev/null &
  remember $!
fi
listening "$plain"
tell WEB_PORT="$plain" WEB_TLS_PORT="$tls" WEB_USER=sender WEB_PASSWORD='s3cret/+' WEB_CA="$own/ca.pem" \
  WEB_FOLDER="$site/files"
