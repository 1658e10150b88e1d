//! naga accepts every module that a dispatcher hands out, with the overrides of every dispatch.

use gridproof_kernels::resadd_norm_gemv_int4::{self as resadd, Options, Reduction, Variant};
use gridproof_kernels::{conv1d_qkv_split, gdn_decode};
use gridproof_launch::{Arithmetic, Dispatch, Launch, Source, Target};
use gridproof_reference::resadd_norm_gemv_int4::{Problem, Shape};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};

fn validator() -> Validator {
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::SUBGROUP);
    validator.subgroup_stages(naga::valid::ShaderStages::COMPUTE);
    validator.subgroup_operations(naga::valid::SubgroupOperationSet::all());
    validator
}

fn parsed(launch: &Launch, dispatch: &Dispatch) -> (naga::Module, ModuleInfo) {
    let source = &launch.modules[dispatch.module.0].source;
    let Source::Wgsl(text) = source else { panic!("{} is not WGSL", source.language()) };
    let module = naga::front::wgsl::parse_str(text).unwrap_or_else(|error| panic!("{}", error.emit_to_string(text)));
    let info = validator().validate(&module).unwrap_or_else(|error| panic!("{}", error.emit_to_string(text)));
    (module, info)
}

/// Resolves the overrides of a dispatch and gives the workgroup size that comes out.
fn specialised(launch: &Launch, dispatch: &Dispatch) -> [u32; 3] {
    let (module, info) = parsed(launch, dispatch);
    let constants = dispatch.constants.iter().map(|(name, value)| (name.clone(), value.as_f64())).collect();
    let entry = (naga::ShaderStage::Compute, dispatch.entry.as_str());
    let (module, _) = naga::back::pipeline_constants::process_overrides(&module, &info, Some(entry), &constants)
        .expect("the overrides fit the module");
    validator().validate(&module).expect("the specialised module is valid");
    let entry = module.entry_points.iter().find(|point| point.name == dispatch.entry).expect("the entry point exists");
    entry.workgroup_size
}

fn check_bindings(launch: &Launch, dispatch: &Dispatch) {
    let (module, info) = parsed(launch, dispatch);
    let position = module.entry_points.iter().position(|point| point.name == dispatch.entry);
    let usage = info.get_entry_point(position.expect("the entry point exists"));
    let storage = module.global_variables.iter().filter(|(_, variable)| variable.binding.is_some());
    let used: Vec<&str> = storage
        .filter(|(handle, _)| !usage[*handle].is_empty())
        .filter_map(|(_, variable)| variable.name.as_deref())
        .collect();
    let mut given: Vec<&str> = Vec::new();
    for argument in &dispatch.arguments {
        let Target::Name(name) = &argument.target else { panic!("arguments go by name") };
        given.push(name);
    }
    given.sort_by_key(|name| used.iter().position(|used| used == name));
    assert_eq!(used, given, "entry `{}`", dispatch.entry);
}

#[test]
fn every_dispatch_of_resadd_norm_gemv_int4_is_valid() {
    for (n, k) in [(1, 512), (128, 2048), (129, 2048), (512, 4608), (513, 512)] {
        let shape = Shape::new(n, k).expect("valid sizes");
        let problem = Problem::from_seed(shape, 1);
        for variant in Variant::ALL {
            for arithmetic in [Arithmetic::FUSED, Arithmetic::SEPARATE] {
                for reduction in [Reduction::Subgroup, Reduction::Workgroup] {
                    let launch =
                        resadd::launch(&problem, variant, Options { arithmetic, reduction, ..Options::default() });
                    let launch = launch.expect("there is a launch");
                    assert_eq!(launch.validate(), Ok(()));
                    for dispatch in &launch.dispatches {
                        check_bindings(&launch, dispatch);
                        let invocations = 32 * variant.path(shape).groups(shape);
                        assert_eq!(specialised(&launch, dispatch), [invocations, 1, 1]);
                    }
                }
            }
        }
    }
}

#[test]
fn every_dispatch_of_gdn_decode_is_valid() {
    for variant in gdn_decode::Variant::ALL {
        let entry = gdn_decode::KERNEL.variant(variant.name()).expect("it is in the catalogue");
        let edges = match variant {
            gdn_decode::Variant::WideVec => ["t=8,tile=128", "t=1,b=1,h=1,hv=1"],
            gdn_decode::Variant::Ilp4 => ["t=8,tile=16", "t=1,b=1,h=1,hv=1"],
            _ => ["t=8,steps=9", "t=1,b=1,h=1,hv=1"],
        };
        for shape in entry.shapes.iter().chain(&edges) {
            let request = gdn_decode::parse_shape(shape, variant).unwrap_or_else(|error| panic!("{shape}: {error}"));
            let problem = request.problem(1).unwrap_or_else(|error| panic!("{shape}: {error}"));
            for arithmetic in [Arithmetic::FUSED, Arithmetic::SEPARATE] {
                for reduction in [gdn_decode::Reduction::Subgroup, gdn_decode::Reduction::Workgroup] {
                    let tile_v = request.tile_v;
                    let options = gdn_decode::Options { arithmetic, reduction, tile_v, ..Default::default() };
                    let launch = gdn_decode::launch(&problem, variant, options).expect("there is a launch");
                    assert_eq!(launch.validate(), Ok(()));
                    check_bindings(&launch, &launch.dispatches[0]);
                    assert_eq!(specialised(&launch, &launch.dispatches[0]), [128, 1, 1]);
                }
            }
        }
    }
}

#[test]
fn every_dispatch_of_conv1d_qkv_split_is_valid() {
    for variant in conv1d_qkv_split::Variant::ALL {
        let entry = conv1d_qkv_split::KERNEL.variant(variant.name()).expect("it is in the catalogue");
        for shape in entry.shapes.iter().chain(&["q=2,k=2,v=2,lens=1,width=2,dtype=f16", "q=256,k=256,width=3,bias=0"])
        {
            let request =
                conv1d_qkv_split::parse_shape(shape, variant).unwrap_or_else(|error| panic!("{shape}: {error}"));
            let problem = request.problem(1).unwrap_or_else(|error| panic!("{shape}: {error}"));
            for arithmetic in [Arithmetic::FUSED, Arithmetic::SEPARATE] {
                let options = conv1d_qkv_split::Options { arithmetic, ..Default::default() };
                let launch = conv1d_qkv_split::launch(&problem, variant, options).expect("there is a launch");
                assert_eq!(launch.validate(), Ok(()));
                for dispatch in &launch.dispatches {
                    check_bindings(&launch, dispatch);
                    assert_eq!(specialised(&launch, dispatch), [128, 1, 1]);
                }
            }
        }
    }
}
