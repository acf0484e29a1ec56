//! What `wit/discovery.wit` becomes in Rust: once for asynchronous providers, once for
//! synchronous transformers.

/// The provider world, every call asynchronous.
pub(crate) mod provider {
    #![allow(missing_docs, clippy::pedantic, reason = "generated")]
    wasmtime::component::bindgen!({
        path: "../../wit/discovery.wit",
        world: "provider-plugin",
        imports: { default: async | trappable },
        exports: { default: async },
    });
}

/// The transformer world, every call synchronous. Language runtimes import every interface of
/// their world, so the ones that a transformer may not use are linked, too, and refuse.
pub(crate) mod transformer {
    #![allow(missing_docs, clippy::pedantic, reason = "generated")]
    wasmtime::component::bindgen!({
        path: "../../wit/discovery.wit",
        inline: "
            package periplus:host;
            world transformer-host {
                import periplus:discovery/log@0.1.0;
                import periplus:discovery/http@0.1.0;
                import periplus:discovery/dns@0.1.0;
                import periplus:discovery/files@0.1.0;
                export periplus:discovery/plugin@0.1.0;
                export periplus:discovery/transformer@0.1.0;
            }
        ",
        world: "periplus:host/transformer-host",
        imports: { default: trappable },
    });
}
