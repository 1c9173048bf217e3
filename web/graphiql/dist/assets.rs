// Written by web/graphiql/build.mjs.
&[
    Asset { name: "app-59142bbea7291170.js", content_type: "text/javascript; charset=utf-8", gzip: include_bytes!("app-59142bbea7291170.js.gz") },
    Asset { name: "app-9c04162ba50d5c25.css", content_type: "text/css; charset=utf-8", gzip: include_bytes!("app-9c04162ba50d5c25.css.gz") },
    Asset { name: "editor-worker-8bb12a240994eae1.js", content_type: "text/javascript; charset=utf-8", gzip: include_bytes!("editor-worker-8bb12a240994eae1.js.gz") },
    Asset { name: "graphql-worker-4b8100460819db4f.js", content_type: "text/javascript; charset=utf-8", gzip: include_bytes!("graphql-worker-4b8100460819db4f.js.gz") },
    Asset { name: "json-worker-548acde1187fbc59.js", content_type: "text/javascript; charset=utf-8", gzip: include_bytes!("json-worker-548acde1187fbc59.js.gz") },
    Asset { name: "licenses-d5ac93094a401483.txt", content_type: "text/plain; charset=utf-8", gzip: include_bytes!("licenses-d5ac93094a401483.txt.gz") },
]
