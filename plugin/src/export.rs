//! The entry points that hosts look for in the library.
//!
//! CLAP's is written out, because the framework keeps to itself what the host says of itself; VST3's is the framework's.
#![allow(unsafe_code, missing_docs, unreachable_pub, reason = "the interface of hosts, and written by nice-plug's macro")]

use nice_plug::prelude::nice_export_vst3;

use crate::plugin::{SendLearn, SendLearnMidi};

nice_export_vst3!(SendLearn, SendLearnMidi);

mod clap_factory {
    use std::ffi::{CStr, c_char, c_void};
    use std::ptr;
    use std::sync::{Arc, LazyLock};

    use nice_plug::prelude::ClapPlugin;
    use nice_plug::wrapper::clap::{
        CLAP_PLUGIN_FACTORY_ID, CLAP_VERSION, PluginDescriptor, Wrapper, clap_host, clap_plugin, clap_plugin_descriptor,
        clap_plugin_entry, clap_plugin_factory,
    };
    use nice_plug::wrapper::setup_logger;

    use crate::identity::Application;
    use crate::plugin::{SendLearn, SendLearnMidi};

    #[unsafe(no_mangle)]
    #[used]
    pub static clap_entry: clap_plugin_entry =
        clap_plugin_entry { clap_version: CLAP_VERSION, init: Some(init), deinit: Some(deinit), get_factory: Some(factory) };

    static FACTORY: clap_plugin_factory =
        clap_plugin_factory { get_plugin_count: Some(count), get_plugin_descriptor: Some(descriptor), create_plugin: Some(create) };

    static DESCRIPTORS: LazyLock<[PluginDescriptor; 2]> =
        LazyLock::new(|| [PluginDescriptor::for_plugin::<SendLearn>(), PluginDescriptor::for_plugin::<SendLearnMidi>()]);

    extern "C" fn init(_: *const c_char) -> bool {
        setup_logger::<SendLearn>();
        true
    }

    extern "C" fn deinit() {}

    extern "C" fn factory(id: *const c_char) -> *const c_void {
        // SAFETY: a host passes a text that ends with NUL.
        if !id.is_null() && unsafe { CStr::from_ptr(id) } == CLAP_PLUGIN_FACTORY_ID {
            ptr::from_ref(&FACTORY).cast()
        } else {
            ptr::null()
        }
    }

    extern "C" fn count(_: *const clap_plugin_factory) -> u32 {
        DESCRIPTORS.len() as u32
    }

    extern "C" fn descriptor(_: *const clap_plugin_factory, index: u32) -> *const clap_plugin_descriptor {
        DESCRIPTORS.get(index as usize).map_or(ptr::null(), |descriptor| descriptor.clap_plugin_descriptor())
    }

    extern "C" fn create(_: *const clap_plugin_factory, host: *const clap_host, id: *const c_char) -> *const clap_plugin {
        if host.is_null() || id.is_null() {
            return ptr::null();
        }
        // SAFETY: a host passes its own description and a text that ends with NUL, both valid for this call.
        let (id, said) = unsafe { (CStr::from_ptr(id), &*host) };
        Application { name: text(said.name), version: text(said.version) }.introduce();
        match DESCRIPTORS.iter().position(|descriptor| descriptor.clap_id() == id) {
            Some(0) => make::<SendLearn>(host),
            Some(1) => make::<SendLearnMidi>(host),
            _ => ptr::null(),
        }
    }

    fn make<P: ClapPlugin>(host: *const clap_host) -> *const clap_plugin {
        // SAFETY: the host's description is valid as long as its plugins. The pointer was just made, and the count that keeps it
        // alive is the host's, which gives it back by `destroy`.
        unsafe { (*Arc::into_raw(Wrapper::<P>::new(host))).clap_plugin.as_ptr() }
    }

    /// A text of the host's; empty where it gives none.
    fn text(text: *const c_char) -> String {
        if text.is_null() {
            return String::new();
        }
        // SAFETY: what is not null is a text that ends with NUL and is valid for this call.
        unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
    }
}
